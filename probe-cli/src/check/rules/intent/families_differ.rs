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
    explained_by: &["peer-family-missing", "dataplane-tunnel-down", "mtu-ipv6-too-small"],
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
    let row = model.setup.comparison.iter().find(|row| row.aspect == Aspect::Families);
    let is_more = row.is_some_and(|row| row.actual.len() > row.intended.len());
    compared(
        model,
        Aspect::Families,
        Fail,
        |wanted, actual| format!("Files ask for {wanted}; the data plane carries {actual}."),
        if is_more {
            "Put the network of the other family back into cluster-cidr (FILE) and restart rke2-server on each server: RKE2 does \
             not take a family from a running cluster, whose pods and services keep their addresses."
        } else {
            "Give the NIC an address of each family that FILE names, name both in node-ip, then restart the agent of RKE2 on this \
             node (pods keep running)."
        },
    )
}
