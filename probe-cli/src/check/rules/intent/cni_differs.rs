//! The CNI that files name is not the one whose data plane is in the kernel.

use super::{super::prelude::*, compared};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-cni-differs",
    family: Family::Intent,
    title: "the data plane is not the configured CNI's",
    symptom: "New pods get other interfaces than old ones; pods of different nodes do not reach each other.",
    core: true,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "The CNI of RKE2's or k3s' configuration and of /etc/cni/net.d against the system that devices, routes and their protocols show.",
        why: "RKE2 does not change the CNI of a running cluster; a changed `cni:` leaves the old data plane in place.",
        fix: "Put the old value back on every server. RKE2 does not support another CNI in a running cluster: that needs a new \
              cluster.",
        not_if: "The node was installed a moment ago and the CNI's agent has not made its devices yet.",
        seen_in: "rke2#3726",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    compared(
        model,
        Aspect::Cni,
        Fail,
        |wanted, actual| {
            format!("The configuration names {wanted}, but the kernel has the data plane of {actual}.")
        },
        "Put the CNI that the nodes have back into FILE on every server, and restart RKE2 there, one server after another. RKE2 does \
         not support another CNI in a running cluster.",
    )
}
