//! host-local keeps addresses of pods that are gone.

use std::collections::BTreeSet;

use super::super::prelude::*;
use crate::facts::ipam::IpamNetwork;

/// Addresses of a network that are kept without a pod before it is worth a word: some are those of pods that end just now.
const SOME: usize = 5;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-ipam-leaked",
    family: Family::Pods,
    title: "addresses are kept for pods that are gone",
    symptom: "New pods stay in ContainerCreating: \"no IP addresses available in range set\".",
    core: false,
    needs: &[Need::Ipam, Need::Runtime],
    explained_by: &[],
    explain: Explain {
        how: "Files of host-local (/var/lib/cni/networks/NETWORK) whose sandbox the container runtime does not know.",
        why: "The node lost power, or pods were removed while the CNI could not be called. Or a pod with a hostPort is on a node without \
              iptables: each attempt to start it keeps an address.",
        fix: "Install iptables where it is missing. Drain the node, reboot it and uncordon it; or delete the files whose first line is a \
              sandbox that is gone.",
        not_if: "",
        seen_in: "rke2#3361, k3s#5885, kubernetes#57280",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let snapshot = &model.snapshot;
    let networks = snapshot.ipam.rows();
    if networks.is_empty() {
        return Outcome::DoesNotApply("host-local has given no address");
    }
    let known: BTreeSet<&str> =
        snapshot.pods.sandboxes.rows().iter().map(|sandbox| sandbox.id.as_str()).collect();
    // Podman and others keep their own networks beside: only those of this node's pods are judged.
    let own = &model.inventory.node.pod_cidrs;
    let is_of_pods = |network: &&IpamNetwork| {
        network.taken.iter().any(|taken| {
            known.contains(taken.container.as_str())
                || own.iter().any(|own| own.cidr.contains(&taken.address))
        })
    };
    Outcome::Judged(
        networks.iter().filter(is_of_pods).filter_map(|network| finding(network, &known)).collect(),
    )
}

fn finding(network: &IpamNetwork, known: &BTreeSet<&str>) -> Option<Finding> {
    let leaked: Vec<_> =
        network.taken.iter().filter(|taken| !known.contains(taken.container.as_str())).collect();
    if leaked.len() < SOME {
        return None;
    }
    let directory = escape(&network.directory);
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Pod,
        &network.name,
        format!(
            "{} of {} that host-local has given in {directory} are of pods that are gone.",
            leaked.len(),
            network.taken.len()
        ),
    )
    .seen("taken addresses", network.taken.len(), directory.clone())
    .seen("without a sandbox", leaked.len(), "container runtime");
    if let Some(one) = leaked.first() {
        finding = finding.seen("such as", one.address, format!("{directory}/{}", one.address));
    }
    Some(finding.fix(format!(
        "Drain the node, then delete in {directory} each file named like an address whose first line is a sandbox that the runtime does \
         not list (RKE2: /var/lib/rancher/rke2/bin/crictl --config /var/lib/rancher/rke2/agent/etc/crictl.yaml pods -q --no-trunc; see \
         that it lists some). Keep `lock` and `last_reserved_ip`. Uncordon. If it happens again, install iptables: pods with a \
         hostPort need it."
    )))
}
