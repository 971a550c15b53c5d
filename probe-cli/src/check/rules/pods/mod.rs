//! Pods: their addresses, routes and what the CNI keeps about them.

pub(super) mod address_missing;
pub(super) mod address_outside;
pub(super) mod address_twice;
pub(super) mod default_route_missing;
pub(super) mod default_route_secondary;
pub(super) mod gateway_unanswered;
pub(super) mod gateway_unreachable;
mod inside;
pub(super) mod interface_down;
pub(super) mod ipam_leaked;
pub(super) mod network_missing;
pub(super) mod parent_down;
pub(super) mod slice_unnamed;
pub(super) mod unrouted;
pub(super) mod vlan_without_uplink;
