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
use crate::{
    facts::files::K3sRole,
    model::{Cni, Fault, System, Tunnel, TunnelKind},
};

/// What mends entries that an agent writes: a restart of the agent on this node.
fn restart(model: &Model, finding: Finding) -> Finding {
    const ENTRIES: &str =
        "Restart the CNI's agent on this node, which writes these entries; pods keep running";
    let systems: Vec<System> = model.inventory.data_planes.iter().map(|plane| plane.system).collect();
    let k3s = model.snapshot.files.value().and_then(|files| files.k3s_role.as_ref());
    let intent = model.setup.intent.as_ref();
    let is_k3s =
        intent.and_then(|intent| intent.cni.as_ref()).is_some_and(|cni| cni.value == Cni::K3sFlannel);
    if is_k3s {
        return match k3s.map(|role| role.value) {
            Some(K3sRole::Agent) => finding.fix(format!("{ENTRIES}.")).run("systemctl restart k3s-agent"),
            Some(K3sRole::Server) | None => finding
                .fix(format!("{ENTRIES}. The API server of this node is away for some seconds."))
                .run("systemctl restart k3s"),
        };
    }
    let node = intent.and_then(|intent| intent.node_name.as_ref()).map(|name| name.value.clone());
    let node = node.or_else(|| model.inventory.node.hostname.clone());
    let pod = |namespace: &str, label: &str| {
        let node = quoted(&format!("spec.nodeName={}", node.as_deref().unwrap_or("NODE")));
        format!("kubectl -n {namespace} delete pod -l {label} --field-selector {node}")
    };
    let command = if systems.contains(&System::Canal) {
        Some(pod("kube-system", "k8s-app=canal"))
    } else if systems.contains(&System::Rke2Flannel) {
        Some(pod("kube-system", "app=flannel"))
    } else if systems.contains(&System::Calico) {
        Some(pod("calico-system", "k8s-app=calico-node"))
    } else {
        None
    };
    match command {
        Some(command) => finding.fix(format!("{ENTRIES}. Run this where kubectl works.")).run(command),
        None => finding.fix(format!("{ENTRIES}.")),
    }
}

/// True where rules beside the kernel's own three send packets without a mark to other tables (`ip rule`).
pub(super) fn has_policy_routes(model: &Model) -> bool {
    const KERNELS: [u32; 3] = [0, 32_766, 32_767];
    let rules = model.snapshot.netlink.rules.rows();
    rules.iter().any(|rule| rule.mark.is_none() && rule.table.is_some() && !KERNELS.contains(&rule.priority))
}

/// Name of a tunnel, escaped.
fn tunnel_name(model: &Model, ifindex: u32) -> String {
    let tunnel = model.inventory.tunnel(ifindex);
    tunnel.map_or_else(|| ifindex.to_string(), |tunnel| escape(&tunnel.name))
}

/// VXLAN devices whose peers an agent writes into the kernel's tables: not those with a destination for each packet.
fn with_tables(model: &Model) -> Vec<&Tunnel> {
    let tunnels = model.inventory.tunnels.iter();
    tunnels.filter(|tunnel| tunnel.kind == TunnelKind::Vxlan && !tunnel.external).collect()
}

/// The findings of one kind of missing entry.
fn missing(model: &Model, of: impl Fn(&Fault) -> Option<Finding>) -> Outcome {
    if with_tables(model).is_empty() {
        return Outcome::DoesNotApply("no VXLAN device has its peers in the kernel's tables");
    }
    Outcome::Judged(model.faults.iter().filter_map(of).collect())
}
