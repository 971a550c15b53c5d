//! Fingerprints of VXLAN devices.

use super::{
    Certainty::{Certain, Likely},
    System,
    signs::{CALICO_PODS, Candidate, NodeSigns, Verdict, in_block},
};
use crate::{inventory::Tunnel, text::counted};

/// VNI and UDP port of flannel's default configuration (`backendPort` 0 is the kernel's default, 8472).
const FLANNEL: (u32, u16) = (1, 8472);
/// VNI and UDP port of Calico, and of RKE2's chart for flannel.
const CALICO: (u32, u16) = (4096, 4789);

pub(super) fn judge(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Candidate {
    let verdict = if tunnel.external { external(signs, tunnel) } else { classic(signs, tunnel) };
    verdict.of(signs, tunnel)
}

/// A device whose destination comes with each packet.
fn external(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let port = tunnel.port.map_or_else(String::new, |port| format!(", port {port}"));
    let mut evidence = vec![format!("{name} is a VXLAN device in collect-metadata (external) mode{port}")];
    let routes = signs.calico_routes(tunnel.ifindex);
    if routes > 0 {
        evidence.push(format!("Calico wrote {} by {name}", counted(routes, "route")));
        return Verdict::new(System::CalicoEbpf, Certain, evidence);
    }
    if let Some(block) = signs.calico_block(tunnel) {
        evidence.push(in_block(block));
        return Verdict::new(System::CalicoEbpf, Certain, evidence);
    }
    if let Some(words) = signs.cilium() {
        evidence.push(words);
        return Verdict::new(System::Cilium, Certain, evidence);
    }
    if signs.has_bpf_pair {
        evidence.push("veth pair bpfin.cali and bpfout.cali".to_owned());
        return Verdict::new(System::CalicoEbpf, Likely, evidence);
    }
    if name.starts_with("cilium_") {
        evidence.push("its name is Cilium's; no route of Cilium is there".to_owned());
        return Verdict::new(System::Cilium, Likely, evidence);
    }
    Verdict::unknown(evidence)
}

/// A device with a VNI of its own, whose destinations are in its FDB.
fn classic(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let (vni, port) = (tunnel.vni.unwrap_or_default(), tunnel.port.unwrap_or_default());
    let mut evidence = vec![format!("{name} is a VXLAN device with VNI {vni}, port {port}")];
    let is = |wanted| (vni, port) == wanted;

    let calico = signs.calico_routes(tunnel.ifindex);
    if calico > 0 {
        evidence.push(format!("Calico wrote {} by {name}", counted(calico, "route")));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    // Ahead of the traits of flannel: a tunnel's address is often the first one of Calico's block, too.
    if let Some(block) = signs.calico_block(tunnel) {
        evidence.push(in_block(block));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    let flannel = signs.flannel_routes(tunnel.ifindex);
    let base = signs.based_on(tunnel);
    if flannel > 0 {
        let routes = counted(flannel, "route");
        evidence.push(format!("{name} has {routes} via the subnet's first address (flannel style)"));
    }
    if let Some(base) = base {
        evidence.push(format!("{name} has the first address of the node's pod network {base}"));
    }
    let is_flannels = name.starts_with("flannel");
    if is(CALICO) && signs.has_calico_pods {
        // rke2-flannel's pods are on a bridge. Calico may be told to write its routes as anybody does
        // (`DeviceRouteProtocol`), and Canal may have Calico's VNI and port, which Windows nodes need.
        evidence.push(CALICO_PODS.to_owned());
        let system = if is_flannels { signs.flannel().0 } else { System::Calico };
        return Verdict::new(system, Likely, evidence);
    }
    if flannel > 0 || base.is_some() {
        let (system, words) = signs.flannel();
        if is(CALICO) {
            if let Some(bridge) = signs.bridge {
                evidence.push(format!("pods are on bridge {}", bridge.name));
            }
            let sure = flannel > 0 || signs.bridge.is_some();
            return Verdict::new(System::Rke2Flannel, if sure { Certain } else { Likely }, evidence);
        }
        evidence.push(words);
        return Verdict::new(system, if is(FLANNEL) || flannel > 0 { Certain } else { Likely }, evidence);
    }
    // Nothing but the name is left, and it fits the rest.
    if is(FLANNEL) && is_flannels {
        evidence.push("its name is flannel's".to_owned());
        return Verdict::new(signs.flannel().0, Likely, evidence);
    }
    if is(CALICO) && is_flannels {
        evidence.push("its name is flannel's".to_owned());
        return Verdict::new(System::Rke2Flannel, Likely, evidence);
    }
    if is(CALICO) && matches!(name.as_str(), "vxlan.calico" | "vxlan-v6.calico") {
        evidence.push("its name is Calico's".to_owned());
        return Verdict::new(System::Calico, Likely, evidence);
    }
    Verdict::unknown(evidence)
}
