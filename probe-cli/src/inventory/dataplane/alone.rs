//! The only node of a cluster that wraps nothing: it has neither a tunnel nor a route to another node. Only its own pods and their
//! networks tell whose they are.

use super::{
    Certainty::Likely,
    DataPlane, Encapsulation, System,
    signs::{CALICO_PODS, Candidate, NodeSigns, is_calico_block},
};

/// The data plane that such a node has. Cilium's is known by its host device, see `dataplane/direct.rs`.
pub(super) fn judge(signs: &NodeSigns<'_>, found: &[Candidate]) -> Option<DataPlane> {
    // Who has a way to other nodes is not alone, whatever that is.
    if found.iter().any(|judged| judged.device.stale.is_none() && !judged.device.idle) {
        return None;
    }
    let is_known = |systems: &[System]| {
        found.iter().any(|judged| systems.contains(&judged.system) && judged.device.stale.is_none())
    };
    let own = &signs.inventory.node.pod_cidrs;
    let flannels = [System::Canal, System::Rke2Flannel, System::Flannel, System::Calico];
    let block = signs.index.facts.routes.iter().find(|route| is_calico_block(route));
    let (system, words) = if let Some(block) = block {
        let words = format!("the node's block {} is a blackhole route of Calico", block.destination);
        (!is_known(&[System::Calico, System::CalicoEbpf])).then_some((System::Calico, vec![words]))
    } else if let Some(own) = own.first().filter(|_| signs.has_calico_pods) {
        let words = format!("the node's pod network {} is not a Calico block", own.cidr);
        (!is_known(&flannels)).then(|| (System::Canal, vec![CALICO_PODS.to_owned(), words]))
    } else {
        let bridge = signs.flannel_bridge?;
        let words =
            format!("flannel's files or the CNI cache name bridge {} as that of its pods", bridge.name);
        (!is_known(&flannels)).then(|| (System::Flannel, vec![words]))
    }?;
    let none =
        "there is no tunnel and no route to another node's pods: it is the only node, or has lost both";
    Some(DataPlane {
        system,
        encapsulation: Encapsulation::None,
        certainty: Some(Likely),
        evidence: words.into_iter().chain([none.to_owned()]).collect(),
        devices: Vec::new(),
    })
}
