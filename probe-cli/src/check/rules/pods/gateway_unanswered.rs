//! The node does not answer ARP for the gateway of pods with Calico's interface.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    super::{
        host::{has_system, interface_sysctl},
        prelude::*,
    },
    inside,
};
use crate::{
    facts::netlink::{LinkFact, RouteFact},
    model::System,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-gateway-unanswered",
    family: Family::Pods,
    title: "the node does not answer for the pods' gateway",
    symptom: "Pods reach nothing at all, not even this node, as soon as they have forgotten the gateway's MAC address.",
    core: false,
    needs: &[Need::Sysctls, Need::PodNetworks],
    explained_by: &["host-forwarding-off", "pod-interface-down"],
    explain: Explain {
        how: "The default route of a pod has the gateway 169.254.1.1, which no device has: the node's end of the pod's veth answers for it \
              (proxy_arp), which is off, while other pods' is on.",
        why: "A sysctl file of a hardening guide turned it off after Calico's agent had turned it on.",
        fix: "Turn it on, and find the file below /etc/sysctl.d that turns it off. Calico's agent turns it on when it starts.",
        not_if: "The pod has a neighbour entry for the gateway that somebody wrote.",
        seen_in: "",
    },
    run,
};

/// Calico's gateway of IPv4 (felix, `dataplane/linux/endpoint_mgr.go`).
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));

fn run(model: &Model) -> Outcome {
    if !has_system(model, &[System::Canal, System::Calico]) {
        return Outcome::DoesNotApply("no pod has Calico's interface");
    }
    let links = &model.snapshot.netlink.links;
    let end_of = |ifindex: Option<u32>| links.iter().find(|link| Some(link.ifindex) == ifindex);
    let has_gateway = |routes: Vec<_>| routes.iter().any(|route: &&RouteFact| route.gateway == Some(GATEWAY));
    let ends: Vec<(String, &LinkFact)> = inside::with_interfaces(model)
        .filter(|pod| {
            inside::facts(model, pod)
                .and_then(|facts| inside::default_routes(facts, true))
                .is_some_and(has_gateway)
        })
        .filter_map(|pod| Some((pod.label(), end_of(pod.host_ifindex)?)))
        // A bridge answers for its own address.
        .filter(|(_, end)| end.master.is_none())
        .collect();
    if ends.is_empty() {
        return Outcome::DoesNotApply("no pod has Calico's gateway");
    }
    let all = &model.snapshot.network.sysctls.ipv4_all.proxy_arp;
    let Some(all) = all.value() else {
        return Outcome::NotJudged(
            all.trouble().unwrap_or_else(|| "/proc/sys has no net.ipv4.conf.all.proxy_arp".to_owned()),
        );
    };
    let setting = |end: &LinkFact| end.ipv4_conf.map(|conf| conf.proxy_arp);
    // Where no interface has it, somebody else answers.
    let is_on = |link: &LinkFact| {
        link.kind.as_deref() == Some("veth") && setting(link).is_some_and(|value| value != 0)
    };
    if *all != 0 || !links.iter().any(is_on) {
        return Outcome::Judged(Vec::new());
    }
    let silent = ends.into_iter().filter(|(_, end)| setting(end) == Some(0));
    Outcome::Judged(
        silent
            .map(|(label, end)| {
                let (shown_label, name) = (escape(&label), escape(&end.name));
                Finding::new(
                    Fail,
                    SubjectKind::Pod,
                    &label,
                    format!("{name} does not answer for 169.254.1.1, the gateway of {shown_label}."),
                )
                .on(end.ifindex)
                .seen(format!("proxy_arp of {name}"), 0, "IFLA_INET_CONF")
                .seen("default route", "via 169.254.1.1", "ip route in the pod")
                .fix("Turn proxy ARP on for the interface, and find what turns it off: grep -r proxy_arp /etc/sysctl.conf /etc/sysctl.d")
                .run(interface_sysctl(4, &end.name, "proxy_arp=1"))
            })
            .collect(),
    )
}
