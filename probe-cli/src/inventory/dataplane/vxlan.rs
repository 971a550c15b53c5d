//! Fingerprints of VXLAN devices.

use super::{
    Certainty::{Certain, Likely},
    System,
    ground::{Ground, Judged, Verdict},
};
use crate::{inventory::Tunnel, text::counted};

/// VNI and UDP port of flannel's default configuration (`backendPort` 0 is the kernel's default, 8472).
const FLANNEL: (u32, u16) = (1, 8472);
/// VNI and UDP port of Calico, and of RKE2's chart for flannel.
const CALICO: (u32, u16) = (4096, 4789);

pub(super) fn judge(ground: &Ground<'_>, tunnel: &Tunnel) -> Judged {
    let verdict = if tunnel.external { external(ground, tunnel) } else { classic(ground, tunnel) };
    verdict.of(ground, tunnel)
}

/// A device whose destination comes with each packet.
fn external(ground: &Ground<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let port = tunnel.port.map_or_else(String::new, |port| format!(", port {port}"));
    let mut evidence =
        vec![format!("{name} is a VXLAN device whose destination comes with each packet{port}")];
    let routes = ground.calico_routes(tunnel.ifindex);
    if routes > 0 {
        evidence.push(format!("Calico wrote {} by {name}", counted(routes, "route")));
        return Verdict::new(System::CalicoEbpf, Certain, evidence);
    }
    if let Some(words) = ground.cilium() {
        evidence.push(words);
        return Verdict::new(System::Cilium, Certain, evidence);
    }
    if ground.has_bpf_pair {
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
fn classic(ground: &Ground<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let (vni, port) = (tunnel.vni.unwrap_or_default(), tunnel.port.unwrap_or_default());
    let mut evidence = vec![format!("{name} is a VXLAN device with VNI {vni}, port {port}")];
    let is = |wanted| (vni, port) == wanted;

    let calico = ground.calico_routes(tunnel.ifindex);
    if calico > 0 {
        evidence.push(format!("Calico wrote {} by {name}", counted(calico, "route")));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    let flannel = ground.flannel_routes(tunnel.ifindex);
    let base = ground.based_on(tunnel);
    if flannel > 0 {
        evidence
            .push(format!("{name} has {} by way of the network's first address", counted(flannel, "route")));
    }
    if let Some(base) = base {
        evidence.push(format!("{name} has the first address of the node's pod network {base}"));
    }
    if flannel > 0 || base.is_some() {
        let (system, words) = ground.flannel();
        if is(CALICO) {
            // Calico's devices have neither such routes nor, but by chance, such an address.
            if let Some(bridge) = ground.bridge {
                evidence.push(format!("pods are on bridge {}", bridge.name));
            }
            let sure = flannel > 0 || ground.bridge.is_some();
            return Verdict::new(System::Rke2Flannel, if sure { Certain } else { Likely }, evidence);
        }
        evidence.push(words);
        return Verdict::new(system, if is(FLANNEL) || flannel > 0 { Certain } else { Likely }, evidence);
    }
    if let Some(block) = ground.calico_block(tunnel) {
        evidence.push(format!("its address is in the node's block {block}, a blackhole route of Calico"));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    // Nothing but the name is left, and it fits the rest.
    if is(FLANNEL) && name.starts_with("flannel") {
        evidence.push("its name is flannel's".to_owned());
        return Verdict::new(ground.flannel().0, Likely, evidence);
    }
    if is(CALICO) && name.starts_with("flannel") {
        evidence.push("its name is flannel's".to_owned());
        return Verdict::new(System::Rke2Flannel, Likely, evidence);
    }
    if is(CALICO) && matches!(name.as_str(), "vxlan.calico" | "vxlan-v6.calico") {
        evidence.push("its name is Calico's".to_owned());
        return Verdict::new(System::Calico, Likely, evidence);
    }
    Verdict::unknown(evidence)
}
