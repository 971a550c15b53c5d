//! A pod's default route leaves by a secondary network.

use super::{super::prelude::*, inside};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-default-route-secondary",
    family: Family::Pods,
    title: "a pod's default route leaves by a secondary network",
    symptom: "The pod reaches its secondary network and no service and no pod of another node.",
    core: false,
    needs: &[Need::PodNetworks],
    explained_by: &[],
    explain: Explain {
        how: "Default routes in the pod's network namespace that leave by another interface than the cluster network's.",
        why: "The secondary network's configuration has a gateway or a default route of its own; packets to service addresses then \
              never pass this node's service rules.",
        fix: "Name `default-route` in the pod's annotation only where it is meant, or remove the gateway from the network.",
        not_if: "The pod asks for it (default-route in k8s.v1.cni.cncf.io/networks).",
        seen_in: "multus#1393",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let pods: Vec<_> = model.inventory.pods.iter().filter(|pod| pod.interfaces.len() > 1).collect();
    if pods.is_empty() {
        return Outcome::DoesNotApply("no pod has a secondary interface");
    }
    let mut findings = Vec::new();
    let mut unread = 0;
    for pod in &pods {
        let Some(inside) = inside::facts(model, pod) else {
            unread += 1;
            continue;
        };
        let routes = [&inside.routes_ipv4, &inside.routes_ipv6];
        let defaults = routes.iter().filter_map(|routes| routes.value()).flat_map(|table| &table.rows);
        let mut defaults: Vec<_> = defaults.filter(|route| route.destination.prefix_len() == 0).collect();
        defaults.sort_by_key(|route| (route.destination.addr().is_ipv6(), route.metric));
        let Some(first) = defaults.first() else { continue };
        let by = pod.interfaces.iter().find(|interface| Some(interface.ifindex) == first.ifindex);
        let Some(by) = by.filter(|interface| !interface.is_default) else { continue };
        let asked = pod.requested_networks.as_deref().is_some_and(|asked| asked.contains("default-route"));
        if asked {
            continue;
        }
        let (name, device) = (pod.label(), escape(&by.name));
        let network = by.network.as_deref().map_or_else(|| "-".to_owned(), escape);
        findings.push(
            Finding::new(
                Warn,
                SubjectKind::Pod,
                &name,
                format!("{}'s default route leaves by {device}: service addresses are not reached.", escape(&name)),
            )
            .seen("default route", format!("dev {device}"), "ip route in the pod")
            .seen("network", network, "CNI result")
            .fix(
                "Remove the gateway and the default route from the network's IPAM configuration, then recreate the pod, which \
                 restarts it.",
            ),
        );
    }
    if findings.is_empty() && unread == pods.len() {
        return Outcome::NotJudged("no pod's routes were read: run as root".to_owned());
    }
    Outcome::Judged(findings)
}
