//! A pod has an address that is not of this node's pod network.

use super::super::prelude::*;
use crate::model::{Pod, System};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-address-outside",
    family: Family::Pods,
    title: "pods have addresses outside of this node's pod network",
    symptom: "Some pods of this node are not reached from other nodes.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["intent-pod-cidr-differs"],
    explain: Explain {
        how: "Addresses of pods with flannel against the node's pod networks in routes and addresses.",
        why: "Another CNI configuration sorts first in /etc/cni/net.d (10-containerd-net.conflist) and gave them addresses; or the \
              node's podCIDR changed.",
        fix: "Remove the foreign configuration and recreate the pods.",
        not_if: "Calico and Cilium give pods addresses of several pools: their pods are not judged.",
        seen_in: "flannel#1437, plugins#629",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let is_flannel = inventory
        .data_planes
        .iter()
        .any(|plane| matches!(plane.system, System::Canal | System::Flannel | System::Rke2Flannel));
    if !is_flannel || inventory.node.pod_cidrs.is_empty() {
        return Outcome::DoesNotApply("no data plane with one pod network for each node");
    }
    let own = &inventory.node.pod_cidrs;
    let is_outside = |pod: &Pod| {
        pod.addresses.iter().any(|address| {
            let mut of_family =
                own.iter().filter(|own| own.cidr.addr().is_ipv4() == address.is_ipv4()).peekable();
            of_family.peek().is_some() && !of_family.any(|own| own.cidr.contains(address))
        })
    };
    let pods = inventory.pods.iter().map(AsRef::as_ref);
    let outside: Vec<&Pod> = pods.filter(|pod: &&Pod| !pod.host_network && is_outside(pod)).collect();
    if outside.is_empty() {
        return Outcome::Judged(Vec::new());
    }
    let networks: Vec<String> = own.iter().map(|own| own.cidr.to_string()).collect();
    let mut finding = Finding::new(
        Fail,
        SubjectKind::Pod,
        "pods",
        format!(
            "{} with an address outside of this node's pod networks {}.",
            counted(outside.len(), "pod"),
            networks.join(", ")
        ),
    );
    for pod in outside.iter().take(3) {
        let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
        finding = finding.seen(escape(&pod.label()), addresses.join(", "), "show pods");
    }
    Outcome::Judged(vec![
        finding
            .fix("Look at the first file in /etc/cni/net.d (by name), remove one that is not the CNI's, then recreate these pods.")
            .run("ls /etc/cni/net.d"),
    ])
}
