//! What fits: pods' packets in tunnels, outer packets in the devices and paths below.

pub(super) mod black_hole;
pub(super) mod flows_differ;
pub(super) mod ipv6_too_small;
pub(super) mod outer_fragments;
mod oversize;
pub(super) mod packets_too_big;
pub(super) mod path_measured_smaller;
pub(super) mod path_smaller;
pub(super) mod planned_exceeded;
pub(super) mod pod_exceeds_tunnel;
pub(super) mod pods_differ;
mod probed;
pub(super) mod tunnel_exceeds_configured;
pub(super) mod tunnel_exceeds_underlay;
pub(super) mod underlay_wasted;

use super::prelude::*;
use crate::model::{Encapsulation, MtuPath, System, paths_in_use};

/// What IPv6 requires of each link (RFC 8200, section 5).
pub(super) const IPV6_LEAST: u32 = 1280;

/// Paths that pods' packets to other nodes take now.
fn paths(model: &Model) -> impl Iterator<Item = &MtuPath> {
    paths_in_use(&model.inventory, &model.setup.mtu)
}

/// A count and its rate, where that is known.
fn counted_per_second(count: u64, rate: Option<f64>) -> String {
    rate.map_or_else(|| count.to_string(), |rate| format!("{count} ({rate:.0}/s)"))
}

/// The kernel has taken IPv6 off the device, and nothing else goes that way: its size is one check's business.
fn is_without_ipv6(path: &MtuPath) -> bool {
    path.families == [6] && path.usable < IPV6_LEAST
}

/// [`lowered`], where it is known that less fits below the tunnel than it has; else with what to do otherwise.
fn lowered_or(model: &Model, finding: Finding, tunnel: u32, otherwise: String) -> Finding {
    let path = paths(model).find(|path| path.ifindex == tunnel);
    match path.and_then(|path| Some((path, path.max_inner.filter(|takes| *takes < path.mtu)?))) {
        Some((path, takes)) => lowered(model, finding, path, takes),
        None => finding.fix(otherwise),
    }
}

/// With the command that gives the tunnel what fits, where that leaves it enough: below 1280 bytes the kernel takes IPv6 off a
/// device (`addrconf_notify`, net/ipv6/addrconf.c). Calico's agent undoes a change of its devices within seconds (`ensureLink`,
/// felix/dataplane/linux), and Cilium's is a matter of routes.
fn lowered(model: &Model, finding: Finding, path: &MtuPath, takes: u32) -> Finding {
    if path.families.contains(&6) && takes < IPV6_LEAST {
        return finding.fix(
            "Raise the MTU below the tunnel: what fits now is less than the 1280 bytes that IPv6 requires.",
        );
    }
    let mut planes = model.inventory.data_planes.iter();
    let plane = planes.find(|plane| plane.devices.iter().any(|device| device.ifindex == path.ifindex));
    let below = takes.saturating_add(path.overhead);
    let for_good = match plane.map(|plane| plane.system) {
        Some(System::Calico | System::CalicoEbpf) => {
            return finding.fix(format!(
                "Set installation.calicoNetwork.mtu to {takes} (RKE2: HelmChartConfig rke2-calico), then recreate the pods; or raise \
                 the MTU below the tunnel. Calico's agent undoes a change of the device itself."
            ));
        }
        Some(System::Cilium) => {
            return finding.fix(format!(
                "Set MTU to {below}, which is that below the tunnel, in Cilium's values (RKE2: HelmChartConfig rke2-cilium), then \
                 restart Cilium's agents and recreate the pods; or raise the MTU below the tunnel."
            ));
        }
        // flannel subtracts the headers of IPv4 for both families (backend/vxlan/device.go), and WireGuard's of IPv6.
        Some(System::Canal) => format!(
            "Set it for good, flannel.mtu to {} and calico.vethuMTU to {takes} in the HelmChartConfig rke2-canal, restart Canal's \
             DaemonSet and recreate the pods",
            takes + if path.encapsulation == Encapsulation::Wireguard { 80 } else { 50 }
        ),
        Some(System::Flannel | System::Rke2Flannel | System::Unknown) | None => {
            "Set it for good in the CNI's configuration, restart its agents and recreate the pods".to_owned()
        }
    };
    finding
        .fix(format!(
            "Lower the tunnel's MTU to {takes}: nothing is interrupted, and pods learn the smaller size by ICMP. It lasts until the \
             device is made again. {for_good}; or raise the MTU below the tunnel."
        ))
        .run(format!("ip link set {} mtu {takes}", quoted(&path.device)))
}
