//! Neighbours of one device, with their state. Those of tunnels are in `source`, where they are joined with FDB entries.

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
        let request =
            Request::new("neighbours of a NIC", libc::RTM_GETNEIGH, 12).attribute(NDA_IFINDEX, ifindex);
        rows(&self.socket, &request, MOST, |frame| {
            if frame.kind != libc::RTM_NEWNEIGH {
                return Ok(None);
            }
            let found = decode::neighbour_state(frame.payload)?;
            Ok(found.filter(|(of, _)| *of == ifindex).map(|(_, fact)| fact))
        })
    }
}
