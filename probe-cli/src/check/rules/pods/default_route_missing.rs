//! A pod has no default route.

use super::{super::prelude::*, inside};
use crate::model::Pod;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-default-route-missing",
    family: Family::Pods,
    title: "a pod has no default route",
    symptom: "A pod reaches nothing, no service and no other node's pods; \"network is unreachable\" in its log.",
    core: false,
    needs: &[Need::PodNetworks],
    explained_by: &["pod-interface-down", "pod-address-missing"],
    explain: Explain {
        how: "Routes to all addresses, or to both halves of them, in the main table of each pod's network namespace, for each family \
              that the pod has an address of.",
        why: "A program in the pod that may change its network (NET_ADMIN) deleted the route, or set the interface down and up again; \
              or the CNI plugin that came first is not the cluster's.",
        fix: "Delete the pod: its controller makes a new one (a pod without a controller does not come back). Look at what in it has NET_ADMIN.",
        not_if: "The pod routes by rules and tables of its own.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let pods = match inside::with_addresses(model) {
        Ok(pods) => pods,
        Err(outcome) => return outcome,
    };
    let (mut findings, mut is_known) = (Vec::new(), false);
    for pod in pods {
        let mut missing = Vec::new();
        for (family, is_ipv4) in [("IPv4", true), ("IPv6", false)] {
            let has_some = pod.addresses.iter().any(|address| address.is_ipv4() == is_ipv4);
            let inside = inside::facts(model, pod).filter(|_| has_some);
            if let Some(routes) = inside.and_then(|inside| inside::default_routes(inside, is_ipv4)) {
                is_known = true;
                missing.extend(routes.is_empty().then_some(family));
            }
        }
        if !missing.is_empty() {
            findings.push(finding(pod, &missing.join(" and ")));
        }
    }
    if !is_known {
        return Outcome::NotJudged("no pod's routes were read: run as root".to_owned());
    }
    Outcome::Judged(findings)
}

fn finding(pod: &Pod, families: &str) -> Finding {
    let label = pod.label();
    Finding::new(
        Fail,
        SubjectKind::Pod,
        &label,
        format!("{} has no {families} default route.", escape(&label)),
    )
    .seen("default route", "none", "ip route in the pod")
    .fix("Delete the pod: its controller makes a new one. Look at what in it may change its network (NET_ADMIN).")
}
