//! The encapsulation that files name is not the one that carries packets.

use super::{super::prelude::*, compared};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-backend-differs",
    family: Family::Intent,
    title: "packets are not encapsulated as configured",
    symptom: "Traffic between nodes that should be encrypted is not, or pods of different nodes do not reach each other.",
    core: true,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[
        "intent-wireguard-impossible",
        "intent-vxlan-impossible",
        "intent-cni-differs",
        "dataplane-missing",
    ],
    explain: Explain {
        how: "flannel.backend, Calico's encapsulation or Cilium's tunnel mode in files, against the devices that routes to other nodes' pods leave by.",
        why: "The backend was changed in a HelmChartConfig while the cluster ran, and the old device and its routes stayed; or the agent does not run.",
        fix: "Go back to the old value, or change all nodes: restart the agents (`kubectl -n kube-system rollout restart ds \
              rke2-canal`), delete the old device on each node (`ip link delete NAME`) or reboot it, recreate pods where the MTU changes. \
              Nodes with different backends do not reach each other meanwhile, and RKE2 does not support the change in a running \
              cluster.",
        not_if: "The rollout has not reached this node yet.",
        seen_in: "rke2#9338",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    compared(
        model,
        Aspect::Backend,
        Fail,
        |wanted, actual| {
            format!("The configured backend is {wanted}; between nodes the kernel uses {actual}.")
        },
        "Find out which backend other nodes use: nodes with different ones do not reach each other. If they use the kernel's, put it \
         back into FILE. If they use the file's, restart the CNI's agent on this node, then delete the old tunnel device, or reboot the node.",
    )
}
