//! Which rtnetlink notifications change the inventory. Pure: it is fed messages, and remembers what it was told.
//!
//! A busy node sends a stream of notifications that repeat what is known (neighbour states of ordinary NICs,
//! lifetimes of IPv6 addresses, statistics of links). Every one that were reported would cost a dump.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    decode::{self, Neighbour},
    error::DecodeError,
};
use crate::{
    facts::netlink::{LinkFact, NeighbourFact, OperState},
    mac::Mac,
};

/// What changed, as far as the inventory is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// The link of this interface index went. One that is there with its index is another.
    LinkGone(u32),
    /// A link came, or changed its name, MTU, flags, address or configuration.
    Links,
    /// An address came or went.
    Addresses,
    /// A route of the main table came, went or changed.
    Routes,
    /// A neighbour of a tunnel device came, went or changed its link-layer address.
    Neighbours,
    /// A forwarding database entry of a tunnel device came, went or changed.
    Fdb,
    /// Notifications were lost or not understood: anything may have changed.
    Everything,
}

/// Neighbours and addresses remembered to recognise repetitions; further ones are reported each time.
const MAX_REMEMBERED: usize = 65_536;

/// What is known, to tell a change from a repetition.
#[derive(Debug, Default)]
pub(super) struct Relevance {
    links: HashMap<u32, LinkFact>,
    neighbours: HashMap<(u32, IpAddr), (Mac, bool)>,
    addresses: HashSet<(u32, IpNet)>,
}

impl Relevance {
    /// Starts anew from a dump of the links.
    pub(super) fn new(links: Vec<LinkFact>) -> Self {
        let links = links.into_iter().map(|link| (link.ifindex, configured(link))).collect();
        Self { links, ..Self::default() }
    }

    /// The change that a notification reports. One that cannot be decoded may be any.
    pub(super) fn apply(&mut self, kind: u16, payload: &[u8]) -> Option<ChangeKind> {
        self.decoded(kind, payload).unwrap_or(Some(ChangeKind::Everything))
    }

    fn decoded(&mut self, kind: u16, payload: &[u8]) -> Result<Option<ChangeKind>, DecodeError> {
        let changed = |changed: bool, kind| changed.then_some(kind);
        Ok(match kind {
            libc::RTM_NEWLINK => {
                let Some(link) = decode::link(payload)? else { return Ok(None) };
                changed(self.new_link(link), ChangeKind::Links)
            }
            libc::RTM_DELLINK => {
                let Some(link) = decode::link(payload)? else { return Ok(None) };
                self.links.remove(&link.ifindex);
                self.neighbours.retain(|(ifindex, _), _| *ifindex != link.ifindex);
                self.addresses.retain(|(ifindex, _)| *ifindex != link.ifindex);
                Some(ChangeKind::LinkGone(link.ifindex))
            }
            libc::RTM_NEWADDR => {
                let Some(fact) = decode::address(payload)? else { return Ok(None) };
                let room = self.addresses.len() < MAX_REMEMBERED;
                changed(!room || self.addresses.insert((fact.ifindex, fact.address)), ChangeKind::Addresses)
            }
            libc::RTM_DELADDR => {
                let Some(fact) = decode::address(payload)? else { return Ok(None) };
                self.addresses.remove(&(fact.ifindex, fact.address));
                Some(ChangeKind::Addresses)
            }
            libc::RTM_NEWROUTE | libc::RTM_DELROUTE => {
                changed(!decode::routes(payload)?.is_empty(), ChangeKind::Routes)
            }
            libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH => {
                let Some(entry) = decode::neighbour(payload)? else { return Ok(None) };
                let of_tunnel = self.links.get(&entry.ifindex()).is_some_and(|link| link.vxlan.is_some());
                match entry {
                    _ if !of_tunnel => None,
                    Neighbour::Fdb(_) => Some(ChangeKind::Fdb),
                    Neighbour::Ip(fact) => {
                        let gone = kind == libc::RTM_DELNEIGH;
                        changed(self.neighbour(&fact, gone), ChangeKind::Neighbours)
                    }
                }
            }
            _ => None,
        })
    }

    fn new_link(&mut self, link: LinkFact) -> bool {
        let link = configured(link);
        match self.links.get(&link.ifindex) {
            Some(known) if *known == link => false,
            _ => {
                self.links.insert(link.ifindex, link);
                true
            }
        }
    }

    /// True when it changed which link-layer address the neighbour has. Reachable, stale, probing: all the same here.
    fn neighbour(&mut self, fact: &NeighbourFact, gone: bool) -> bool {
        let key = (fact.ifindex, fact.address);
        match fact.mac.filter(|_| !gone && !fact.failed) {
            Some(mac) => {
                let value = (mac, fact.permanent);
                if self.neighbours.get(&key) == Some(&value) {
                    return false;
                }
                if self.neighbours.len() < MAX_REMEMBERED {
                    self.neighbours.insert(key, value);
                } else {
                    self.neighbours.remove(&key);
                }
                true
            }
            // A neighbour from before the start is not remembered, so its end is always a change.
            None => self.neighbours.remove(&key).is_some() || gone || fact.failed,
        }
    }
}

/// The link without what comes and goes by itself, and without its sysctls: they change without a notification of the link,
/// are read anew with everything else, and on Linux 5.10 a notification has others than the dump. A NIC without a carrier is
/// as good as one that is set down, and so is one that waits for 802.1X; the carrier of a device that leads into a pod is the
/// pod's to switch, as often as it likes.
fn configured(link: LinkFact) -> LinkFact {
    let is_here = link.link_netns.is_none();
    let carrier = link.carrier.filter(|_| is_here);
    let oper_state = link.oper_state.filter(|state| is_here && *state == OperState::Dormant);
    LinkFact { oper_state, carrier, ipv4_conf: None, ipv6_conf: None, ..link }
}

#[cfg(test)]
mod tests;
