//! Which interfaces the programs of one object are on.

use std::collections::{BTreeMap, BTreeSet};

use aya::Ebpf;

use super::{
    attach::{self, AttachMode, Attachment, Hook, LinkPlace},
    error::EbpfError,
    object::Programs,
};

/// Attachments by interface index and hook. Dropping it takes the programs off.
#[derive(Default)]
pub(super) struct Attached(BTreeMap<(u32, Hook), Attachment>);

impl Attached {
    /// Puts the programs where they belong and takes them off elsewhere. What could not be attached is returned.
    pub(super) fn follow(
        &mut self,
        ebpf: &mut Ebpf,
        mode: AttachMode,
        programs: Programs,
        hooks: &BTreeMap<(u32, Hook), String>,
    ) -> Vec<EbpfError> {
        let gone: Vec<_> = self.0.keys().filter(|key| !hooks.contains_key(key)).copied().collect();
        for key in gone {
            if let Some(attachment) = self.0.remove(&key) {
                attachment.detach();
            }
        }
        let mut errors = Vec::new();
        // The underlay first: what leaves a tunnel that is counted is then counted there, too.
        let (below, tunnels): (Vec<_>, Vec<_>) =
            hooks.iter().partition(|((_, hook), _)| *hook == Hook::Underlay);
        for (&(ifindex, hook), name) in below.into_iter().chain(tunnels) {
            if self.has(ifindex, hook) {
                continue;
            }
            match attach::attach(ebpf, mode, programs.of(hook), name, ifindex) {
                Ok(attachment) => drop(self.0.insert((ifindex, hook), attachment)),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// True when they are on the interface.
    pub(super) fn has(&self, ifindex: u32, hook: Hook) -> bool {
        self.0.contains_key(&(ifindex, hook))
    }

    /// Where they are.
    pub(super) fn hooks(&self) -> impl Iterator<Item = (u32, Hook)> {
        self.0.keys().copied()
    }

    /// Where their clsact filters are; none with TCX.
    pub(super) fn places(&self) -> impl Iterator<Item = LinkPlace> {
        self.0.values().flat_map(|attachment| attachment.places().iter().copied())
    }

    /// Interfaces that a TCX link was taken from by somebody.
    pub(super) fn detached(&self) -> impl Iterator<Item = u32> {
        let detached = self.0.iter().filter(|(_, attachment)| attachment.is_detached());
        detached.map(|((ifindex, _), _)| *ifindex)
    }

    /// Forgets what it put on these interfaces and somebody has taken off, so that following puts it on again.
    pub(super) fn forget(&mut self, interfaces: &BTreeSet<u32>) {
        let lost: Vec<_> =
            self.0.keys().filter(|(ifindex, _)| interfaces.contains(ifindex)).copied().collect();
        for key in lost {
            if let Some(attachment) = self.0.remove(&key) {
                attachment.forget();
            }
        }
    }

    /// Takes all programs off.
    pub(super) fn detach(&mut self) {
        for attachment in std::mem::take(&mut self.0).into_values() {
            attachment.detach();
        }
    }
}
