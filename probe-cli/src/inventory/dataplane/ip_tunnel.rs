//! Fingerprints of IP-in-IP and Geneve devices.

use super::{
    Certainty::{Certain, Likely},
    System,
    signs::{Candidate, NodeSigns, Verdict, in_block},
};
use crate::{
    inventory::{Tunnel, TunnelKind},
    text::counted,
};

pub(super) fn judge(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Candidate {
    let verdict = match tunnel.kind {
        TunnelKind::Geneve => geneve(signs, tunnel),
        TunnelKind::Vxlan | TunnelKind::Wireguard | TunnelKind::Ipip | TunnelKind::Udp => ipip(signs, tunnel),
    };
    verdict.of(signs, tunnel)
}

fn ipip(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let mut evidence = vec![format!("{name} is an IP-in-IP device")];
    let calico = signs.calico_routes(tunnel.ifindex);
    if calico > 0 {
        evidence.push(format!("Calico wrote {} by {name}", counted(calico, "route")));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    if let Some(block) = signs.calico_block(tunnel) {
        evidence.push(in_block(block));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    if let Some(base) = signs.based_on(tunnel) {
        evidence.push(format!("{name} has the first address of the node's pod network {base}"));
        let (system, words) = signs.flannel();
        evidence.push(words);
        return Verdict::new(system, Certain, evidence);
    }
    Verdict::unknown(evidence)
}

fn geneve(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let port = tunnel.port.map_or_else(String::new, |port| format!(", port {port}"));
    if !tunnel.external {
        return Verdict::unknown(vec![format!("{name} is a Geneve device{port}")]);
    }
    let mut evidence = vec![format!("{name} is a Geneve device in collect-metadata (external) mode{port}")];
    if let Some(words) = signs.cilium() {
        evidence.push(words);
        return Verdict::new(System::Cilium, Certain, evidence);
    }
    if name.starts_with("cilium_") {
        evidence.push("its name is Cilium's; no route of Cilium is there".to_owned());
        return Verdict::new(System::Cilium, Likely, evidence);
    }
    Verdict::unknown(evidence)
}
