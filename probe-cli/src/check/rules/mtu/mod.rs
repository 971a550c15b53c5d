//! What fits: pods' packets in tunnels, outer packets in the devices and paths below.

pub(super) mod ipv6_too_small;
pub(super) mod path_smaller;
pub(super) mod pod_exceeds_tunnel;
pub(super) mod pods_differ;
pub(super) mod tunnel_exceeds_underlay;
pub(super) mod underlay_wasted;

use crate::model::{Model, MtuPath};

/// Ways that packets take now.
fn paths(model: &Model) -> impl Iterator<Item = &MtuPath> {
    model.setup.mtu.iter().filter(|path| !path.left_over)
}
