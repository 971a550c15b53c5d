//! Running the programs on made-up packets (`BPF_PROG_TEST_RUN`), for tests and benchmarks.
//!
//! Each [`Bench`] has maps of its own, so nothing here shows up in a running probe.

use std::time::Duration;

use aya::{
    Ebpf,
    programs::{ProgramError, TestRun as _, TestRunOptions},
};

use super::{
    counters::CounterMaps,
    error::EbpfError,
    lookup::LookupMaps,
    object::{self, Limits},
    plan::{self, AllSlots},
    slots::Slots,
};
use crate::{
    inventory::Inventory,
    sample::{Counts, Kinds, OuterCounts, PerDirection, TunnelSample},
};

/// Fields of `struct __sk_buff` that a test may set (`convert___skb_to_skb` in net/bpf/test_run.c, Linux 5.10), by
/// byte offset in include/uapi/linux/bpf.h.
const CONTEXT_BYTES: usize = 192;
const INGRESS_IFINDEX: usize = 36;
const IFINDEX: usize = 40;
const GSO_SEGS: usize = 164;
const GSO_SIZE: usize = 176;

/// A packet with what the kernel would know about it.
#[derive(Clone, Copy, Debug)]
pub struct TestPacket<'a> {
    /// The bytes, link header first.
    pub bytes: &'a [u8],
    /// Interface that the program believes to be on; must exist in the caller's network namespace.
    pub ifindex: u32,
    /// Interface that the packet came in by; the test run allows only 0 or `ifindex`'s own rules, so tests leave 0.
    pub ingress_ifindex: u32,
    /// GSO payload bytes per segment, 0 for a single packet.
    pub gso_size: u32,
    /// GSO segments.
    pub gso_segs: u32,
}

/// What a run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The program's return value; -1 passes the packet on.
    pub verdict: i32,
    /// Mean duration of one run.
    pub per_run: Duration,
}

/// A loaded object that is attached nowhere.
pub struct Bench {
    ebpf: Ebpf,
    lookups: LookupMaps,
    counters: CounterMaps,
    slots: AllSlots,
}

impl Bench {
    /// Loads the embedded object and fills its lookup maps for `inventory`.
    pub fn load(inventory: &Inventory, limits: Limits) -> Result<Self, EbpfError> {
        let mut ebpf = object::load(object::OBJECT, limits)?;
        for name in object::REFERENCES {
            object::load_program(&mut ebpf, name)?;
        }
        let mut bench = Self {
            lookups: LookupMaps::take(&mut ebpf)?,
            counters: CounterMaps::take(&mut ebpf)?,
            slots: AllSlots {
                tunnels: Slots::new(0, probe_common::limits::TUNNELS),
                peers: Slots::new(probe_common::limits::TUNNELS, limits.peers),
                pods: Slots::new(1, limits.pods),
                allowed_ips: probe_common::limits::allowed_ips(limits.peers),
                pod_networks: probe_common::limits::pod_networks(limits.peers),
            },
            ebpf,
        };
        bench.slots.tunnels.assign(inventory.tunnels.iter().map(|tunnel| tunnel.ifindex));
        bench.slots.peers.assign(inventory.peers.iter().map(|peer| (peer.tunnel, peer.key)));
        bench.slots.pods.assign(inventory.pods.iter().map(|pod| pod.key()));
        bench.lookups.insert(plan::tables(inventory, &bench.slots))?;
        Ok(bench)
    }

    /// Runs `program` `repeat` times. `None` when the kernel does not take such a packet (shorter than a link
    /// header) or such a context.
    pub fn run(
        &mut self,
        program: &'static str,
        packet: TestPacket<'_>,
        repeat: u32,
    ) -> Result<Option<Outcome>, EbpfError> {
        let mut context = [0_u8; CONTEXT_BYTES];
        for (offset, value) in [
            (INGRESS_IFINDEX, packet.ingress_ifindex),
            (IFINDEX, packet.ifindex),
            (GSO_SEGS, packet.gso_segs),
            (GSO_SIZE, packet.gso_size),
        ] {
            if let Some(field) = context.get_mut(offset..offset + 4) {
                field.copy_from_slice(&value.to_ne_bytes());
            }
        }
        let options = TestRunOptions {
            data_in: Some(packet.bytes),
            ctx_in: Some(&context),
            repeat,
            ..TestRunOptions::new()
        };
        match object::program(&mut self.ebpf, program)?.test_run(options) {
            Ok(result) => {
                Ok(Some(Outcome { verdict: result.return_value.cast_signed(), per_run: result.duration }))
            }
            Err(ProgramError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EINVAL) => {
                Ok(None)
            }
            Err(source) => Err(EbpfError::LoadProgram { program, source: Box::new(source) }),
        }
    }

    /// Counters of a tunnel, by its interface index.
    pub fn tunnel(&mut self, ifindex: u32) -> Result<(PerDirection<Counts>, PerDirection<Kinds>), EbpfError> {
        let slot =
            self.slots.tunnels.get(&ifindex).ok_or(EbpfError::Missing { what: "tunnel".to_owned() })?;
        let TunnelSample { counts, kinds, .. } = self.counters.tunnel(slot)?;
        Ok((counts, kinds))
    }

    /// Underlay counters of a tunnel, by its interface index.
    pub fn outer(&mut self, ifindex: u32) -> Result<PerDirection<OuterCounts>, EbpfError> {
        let slot =
            self.slots.tunnels.get(&ifindex).ok_or(EbpfError::Missing { what: "tunnel".to_owned() })?;
        self.counters.outer(slot)
    }
}
