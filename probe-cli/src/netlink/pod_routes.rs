//! Routes of a namespace that was entered, with a bound: whoever is in it makes them. The node's own are read in `source`.

use super::{
    decode,
    rows::rows,
    socket::Request,
    source::{Source, routes_request},
};
use crate::{
    facts::{Bounded, netlink::RouteFact},
    observed::Observed,
};

/// Routes that are read of each family.
const MOST: usize = 1024;

impl Source {
    /// IPv4 routes of the main table of this namespace.
    pub fn pod_routes_v4(&self) -> Observed<Bounded<RouteFact>> {
        self.pod_routes(&routes_request("IPv4 routes of a pod", libc::AF_INET))
    }

    /// IPv6 routes of the main table of this namespace.
    pub fn pod_routes_v6(&self) -> Observed<Bounded<RouteFact>> {
        self.pod_routes(&routes_request("IPv6 routes of a pod", libc::AF_INET6))
    }

    fn pod_routes(&self, request: &Request) -> Observed<Bounded<RouteFact>> {
        // Without IPv6 in the kernel, a request for its routes is answered with those of every family.
        let family = request.body.first();
        rows(&self.socket, request, MOST, |frame| {
            if frame.kind == libc::RTM_NEWROUTE && frame.payload.first() == family {
                decode::routes(frame.payload)
            } else {
                Ok(Vec::new())
            }
        })
    }
}
