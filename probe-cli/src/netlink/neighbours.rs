//! Neighbours of one device or of a namespace, with their state. Those of tunnels are in `source`, where they are joined with FDB entries.

use super::{
    decode,
    rows::rows,
    socket::Request,
    source::{NDA_IFINDEX, Source},
};
use crate::{
    facts::{Bounded, netlink::NeighbourStateFact},
    observed::Observed,
};

/// Neighbours that are read of one device. The kernel keeps 1,024 of each family unless it is told otherwise
/// (`net.ipv4.neigh.default.gc_thresh3`).
const MOST: usize = 8192;

impl Source {
    /// The neighbours of the device with this index in this namespace, of both families.
    pub fn neighbours_of(&self, ifindex: u32) -> Observed<Bounded<NeighbourStateFact>> {
        let request = Request::new("neighbours of a NIC", libc::RTM_GETNEIGH, 12);
        self.neighbour_states(&request.attribute(NDA_IFINDEX, ifindex), |found| found.ifindex == ifindex)
    }

    /// All neighbours of this namespace.
    pub fn neighbours(&self) -> Observed<Bounded<NeighbourStateFact>> {
        self.neighbour_states(&Request::new("neighbours of a pod", libc::RTM_GETNEIGH, 12), |_| true)
    }

    fn neighbour_states(
        &self,
        request: &Request,
        is_wanted: impl Fn(&NeighbourStateFact) -> bool,
    ) -> Observed<Bounded<NeighbourStateFact>> {
        rows(&self.socket, request, MOST, |frame| match frame.kind {
            libc::RTM_NEWNEIGH => Ok(decode::neighbour_state(frame.payload)?.filter(&is_wanted)),
            _ => Ok(None),
        })
    }
}
