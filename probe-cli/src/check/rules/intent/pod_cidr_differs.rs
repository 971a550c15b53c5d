//! flannel's subnet.env names another pod network than the kernel uses.

use super::{super::prelude::*, compared};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-pod-cidr-differs",
    family: Family::Intent,
    title: "the node's pod network is not the one that flannel was given",
    symptom: "New pods do not start (\"cni0 already has an IP address different from\"), or get addresses of another node.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "FLANNEL_SUBNET of subnet.env against the bridge's network, blackhole routes and the tunnel's address.",
        why: "The node object was deleted and made again, and flannel does not remove the bridge and routes of the old podCIDR.",
        fix: "Drain the node, reboot it, uncordon it: the reboot removes the bridge, the tunnel device and the routes of the old pod \
              network, and pods of DaemonSets get new addresses.",
        not_if: "",
        seen_in: "flannel#1850, flannel#883",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    compared(
        model,
        Aspect::PodCidrs,
        Fail,
        |wanted, actual| format!("flannel was given {wanted} for this node's pods; the kernel has {actual}."),
        "Drain the node, reboot it, uncordon it: that removes the bridge, the tunnel device and the routes of the podCIDR that it had \
         before FILE was written.",
    )
}
