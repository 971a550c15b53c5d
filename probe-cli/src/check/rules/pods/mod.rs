//! Pods: their addresses, routes and what the CNI keeps about them.

pub(super) mod address_outside;
pub(super) mod address_twice;
pub(super) mod default_route_secondary;
pub(super) mod ipam_leaked;
pub(super) mod slice_unnamed;
