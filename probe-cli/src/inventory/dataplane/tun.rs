//! Fingerprints of `tun` devices that lead to pods: flannel's UDP backend.

use super::{
    Certainty::{Certain, Likely},
    ground::{Ground, Judged, Verdict},
};
use crate::inventory::{Tunnel, tun::wide_base};

pub(super) fn judge(ground: &Ground<'_>, tunnel: &Tunnel) -> Judged {
    let name = &tunnel.name;
    let mut evidence = vec![format!("{name} is a tun device: a process encapsulates its packets")];
    let (system, words) = ground.flannel();
    let certainty = if let Some(address) = wide_base(ground.index, tunnel.ifindex) {
        evidence.push(format!(
            "its address {address} is the first one of the bridge's network, with the prefix length of the cluster's"
        ));
        Certain
    } else {
        evidence.push("its name is flannel's".to_owned());
        Likely
    };
    evidence.push(words);
    Verdict::new(system, certainty, evidence).of(ground, tunnel)
}
