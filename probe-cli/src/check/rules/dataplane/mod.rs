//! Tunnels and the devices below them: there, up, and the only ones that carry pods' packets.

pub(super) mod bypassed;
pub(super) mod default_routes_differ;
pub(super) mod host_device_down;
pub(super) mod missing;
pub(super) mod netem;
pub(super) mod packets_dropped;
pub(super) mod packets_filtered;
pub(super) mod pods_in_clear;
pub(super) mod pods_ruled_away;
pub(super) mod port_shared;
pub(super) mod source_not_here;
pub(super) mod stale;
pub(super) mod tunnel_down;
pub(super) mod tunnel_unconfigured;
pub(super) mod udp_backend;
pub(super) mod underlay_down;
pub(super) mod underlay_dummy;
pub(super) mod vni_unknown;

use crate::model::{Encapsulation, LinkRow, Model, PlaneDevice};

/// The row of a link.
fn link(model: &Model, ifindex: u32) -> Option<&LinkRow> {
    model.inventory.links.links.iter().find(|link| link.ifindex == ifindex)
}

/// The name of a device, whatever it is for; escape before showing.
fn name(model: &Model, ifindex: u32) -> &str {
    let links = &model.snapshot.netlink.links;
    links.iter().find(|link| link.ifindex == ifindex).map_or("?", |link| link.name.as_str())
}

/// A device that encapsulates packets of a data plane.
fn is_tunnel(model: &Model, ifindex: u32) -> bool {
    let planes = model.inventory.data_planes.iter();
    let with_tunnel = planes.filter(|plane| plane.encapsulation != Encapsulation::None);
    with_tunnel.flat_map(|plane| &plane.devices).any(|device| device.ifindex == ifindex)
}

/// Devices of data planes, those that are stale included.
fn devices(model: &Model) -> impl Iterator<Item = &PlaneDevice> {
    model.inventory.data_planes.iter().flat_map(|plane| &plane.devices)
}
