//! Tables about other nodes: route, neighbour and FDB entry of each, and whether the node itself answers on the underlay.

pub(super) mod destination_shared;
pub(super) mod family_missing;
pub(super) mod fdb_without_route;
pub(super) mod neighbour_without_fdb;
pub(super) mod own_address;
pub(super) mod route_without_neighbour;
pub(super) mod underlay_silent;
pub(super) mod unrouted;
pub(super) mod vtep_mac_shared;

use super::prelude::*;
use crate::model::{Cni, Hole, System, Tunnel, TunnelKind};

/// What mends entries that an agent writes: a restart of the agent on this node.
fn restart(model: &Model, finding: Finding) -> Finding {
    let systems: Vec<System> = model.inventory.data_planes.iter().map(|plane| plane.system).collect();
    let is_k3s = model
        .setup
        .intent
        .as_ref()
        .and_then(|intent| intent.cni.as_ref())
        .is_some_and(|cni| cni.value == Cni::K3sFlannel);
    let pod = |namespace: &str, label: &str| {
        format!("kubectl -n {namespace} delete pod -l {label} --field-selector spec.nodeName=$(hostname)")
    };
    let command = if systems.contains(&System::Canal) {
        Some(pod("kube-system", "k8s-app=canal"))
    } else if is_k3s {
        Some("systemctl restart k3s k3s-agent".to_owned())
    } else if systems.contains(&System::Calico) {
        Some(pod("calico-system", "k8s-app=calico-node"))
    } else {
        None
    };
    let finding =
        finding.fix("Restart the CNI's agent on this node, which writes these entries; pods keep running.");
    match command {
        Some(command) => finding.run(command),
        None => finding,
    }
}

/// Name of a tunnel, escaped.
fn tunnel_name(model: &Model, ifindex: u32) -> String {
    let tunnel = model.inventory.all_tunnels().find(|tunnel| tunnel.ifindex == ifindex);
    tunnel.map_or_else(|| ifindex.to_string(), |tunnel| escape(&tunnel.name))
}

/// VXLAN devices whose peers an agent writes into the kernel's tables: not those with a destination for each packet.
fn with_tables(model: &Model) -> Vec<&Tunnel> {
    let tunnels = model.inventory.tunnels.iter();
    tunnels.filter(|tunnel| tunnel.kind == TunnelKind::Vxlan && !tunnel.external).collect()
}

/// The findings of one kind of missing entry; none of tunnels that are down, whose entries the kernel removes.
fn holes(model: &Model, of: impl Fn(&Hole) -> Option<Finding>) -> Outcome {
    let tunnels = with_tables(model);
    if tunnels.is_empty() {
        return Outcome::DoesNotApply("no VXLAN device has its peers in the kernel's tables");
    }
    let is_up = |hole: &&Hole| tunnels.iter().any(|tunnel| tunnel.ifindex == hole.tunnel() && tunnel.up);
    Outcome::Judged(model.inventory.holes.iter().filter(is_up).filter_map(of).collect())
}
