//! This node's pod network is not part of the cluster's.

use super::{super::prelude::*, compared};
use crate::model::{Aspect, System};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-cluster-cidr-differs",
    family: Family::Intent,
    title: "the node's pod network is outside the cluster CIDR",
    symptom: "Pods of this node are not reached by other nodes, and their packets leave without source NAT.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &["intent-families-differ"],
    explain: Explain {
        how: "`cluster-cidr` and net-conf.json's Network against the pod network of this node in routes and addresses.",
        why: "cluster-cidr was changed after the cluster was made, or was not passed on to the CNI's chart.",
        fix: "Put the network that the nodes have back into both places. RKE2 does not change the cluster CIDR of a running cluster: \
              another network needs another cluster.",
        not_if: "",
        seen_in: "rke2#723",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    // Calico and Cilium give addresses of further pools.
    let has_pools = model
        .inventory
        .data_planes
        .iter()
        .any(|plane| matches!(plane.system, System::Calico | System::CalicoEbpf | System::Cilium));
    compared(
        model,
        Aspect::ClusterCidrs,
        if has_pools { Warn } else { Fail },
        |wanted, actual| format!("The cluster's pod networks are {wanted}; this node uses {actual}."),
        "Put the network that nodes have back into FILE, on every server, and restart RKE2 there. Do not restart the CNI's agent \
         before: flannel ends when its network does not contain the node's podCIDR.",
    )
}
