//! Fingerprints of `tun` devices that lead to pods: flannel's UDP backend.

use super::{
    Certainty::{Certain, Likely},
    signs::{Candidate, NodeSigns, Verdict},
};
use crate::inventory::{Tunnel, tun::wide_base};

pub(super) fn judge(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Candidate {
    let name = &tunnel.name;
    let mut evidence = vec![format!("{name} is a tun device: a process encapsulates its packets")];
    let (system, words) = signs.flannel();
    let certainty = if let Some(address) = wide_base(signs.index, tunnel.ifindex) {
        evidence.push(format!(
            "its address {address} is the first one of the bridge's network, with the prefix length of the cluster's"
        ));
        Certain
    } else {
        evidence.push("its name is flannel's".to_owned());
        Likely
    };
    evidence.push(words);
    Verdict::new(system, certainty, evidence).of(signs, tunnel)
}
