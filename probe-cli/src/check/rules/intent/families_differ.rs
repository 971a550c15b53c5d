//! An address family is configured and not carried, or the other way round.

use super::{super::prelude::*, compared};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-families-differ",
    family: Family::Intent,
    title: "an address family is not carried as configured",
    symptom: "Pods reach each other by one address family and not by the other.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &["peer-family-missing"],
    explain: Explain {
        how: "Families of the cluster CIDRs and of flannel's net-conf.json, against the families of pod networks that tunnels lead to.",
        why: "The node has no address of the second family, node-ip names one family only, or the tunnel of one family could not be made.",
        fix: "Give the NIC an address of the family, name both addresses in node-ip, restart the agent.",
        not_if: "The cluster has one node only, so that no route to other nodes exists yet.",
        seen_in: "k3s#4364, calico#5727",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    compared(
        model,
        Aspect::Families,
        Fail,
        |wanted, actual| format!("Files ask for {wanted}; the data plane carries {actual}."),
        "Check that this node has an address of each configured family on the NIC (FILE names them), then restart the CNI's agent on this node.",
    )
}
