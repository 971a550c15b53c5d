//! Files want a data plane, and the kernel has none.

use super::super::{agent, prelude::*};
use crate::{
    facts::netlink::{LinkFact, RouteFact},
    model::{Backend, Cni, DataPlane, Encapsulation, System},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-missing",
    family: Family::Dataplane,
    title: "no data plane leads to other nodes",
    symptom: "Pods of this node reach no pod of another node; DNS fails where CoreDNS runs elsewhere.",
    core: true,
    needs: &[Need::Files, Need::Routes, Need::Addresses],
    explained_by: &[
        "intent-wireguard-impossible",
        "intent-vxlan-impossible",
        "intent-cni-unknown",
        "intent-cni-refused",
    ],
    explain: Explain {
        how: "No tunnel and no route to other nodes' pods, although a file names a CNI that makes a tunnel; or routes of Cilium \
              that lead other nodes' pods into a tunnel, and there is none.",
        why: "The CNI's agent does not run, could not make its device, or the device was deleted.",
        fix: "Find the agent's pod on this node (kubectl get pods -A -o wide --field-selector spec.nodeName=NODE), look at its log (kubectl -n \
              kube-system logs POD --all-containers --tail=50; with --previous where it has ended before) and delete the pod, which \
              starts it again.",
        not_if: "The cluster has one node, and its CNI makes devices only when there is another.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let planes = &model.inventory.data_planes;
    if let Some(finding) = cilium_without_tunnel(model) {
        return Outcome::Judged(vec![agent::restarted(model, finding)]);
    }
    let intent = model.setup.intent.as_ref();
    let wanted = intent.and_then(|intent| intent.cni.as_ref()).filter(|wanted| wanted.value != Cni::None);
    let backend = intent.and_then(|intent| intent.backend.as_ref()).map(|backend| &backend.value);
    // Without encapsulation there is nothing before there is another node. flannel takes VXLAN unless a file says otherwise.
    let needs_tunnel = wanted.is_some_and(|wanted| match backend {
        Some(backend) => {
            matches!(backend, Backend::Vxlan | Backend::Geneve | Backend::Wireguard | Backend::Udp)
        }
        None => matches!(wanted.value, Cni::Canal | Cni::Flannel | Cni::K3sFlannel),
    });
    let is_live = |plane: &DataPlane| {
        let leads_somewhere = plane.devices.iter().any(|device| device.routes > 0);
        !plane.is_stale() && (plane.encapsulation != Encapsulation::None || leads_somewhere || !needs_tunnel)
    };
    if planes.iter().any(is_live) {
        return Outcome::Judged(Vec::new());
    }
    if model.snapshot.netlink.links.iter().all(LinkFact::is_loopback) {
        return Outcome::NotJudged(
            "this network namespace has no interface but lo, and is no node's: look at the node with --netns NAME".to_owned(),
        );
    }
    let Some(wanted) = wanted else {
        if let Some(why) = super::super::intent::unread(model) {
            return Outcome::NotJudged(why);
        }
        return if model.inventory.pods.is_empty() {
            Outcome::NotJudged(
                "no data plane, no configured CNI and no pods: look at the node with --netns NAME or --host-root DIR"
                    .to_owned(),
            )
        } else {
            Outcome::DoesNotApply("no file names a CNI")
        };
    };
    if !needs_tunnel {
        return Outcome::DoesNotApply("the configured backend needs no tunnel while there is one node");
    }
    let stale = planes.iter().any(|plane| plane.encapsulation != Encapsulation::None);
    let cni = escape(&wanted.value.to_string());
    let place = wanted.file.as_deref().map_or_else(|| "default".to_owned(), escape);
    let line = wanted.line.map_or_else(String::new, |line| format!(":{line}"));
    let there = if stale { "stale devices only" } else { "none" };
    Outcome::Judged(vec![agent::restarted(
        model,
        Finding::new(Fail, SubjectKind::Node, "data plane", format!("{cni} is configured, and no device or route leads to other nodes' pods."))
            .seen("CNI", cni, format!("{place}{line}"))
            .seen("tunnels", there, "ip link")
            .fix(
                "Restart the CNI's agent on this node, and read its log when nothing appears: kubectl -n kube-system get \
                 pods -o wide names it.",
            ),
    )])
}

/// In tunnel mode only, Cilium routes other nodes' pod networks by its host device, with the MTU that the tunnel has room for
/// (`nodeUpdate` and `createNodeRouteSpec`, pkg/datapath/linux/node.go); in native routing mode they leave by the NIC.
fn cilium_without_tunnel(model: &Model) -> Option<Finding> {
    let netlink = &model.snapshot.netlink;
    let mut planes = model.inventory.data_planes.iter();
    let plane = planes.find(|plane| plane.system == System::Cilium && !plane.is_stale())?;
    let host = plane.devices.iter().find(|_| plane.encapsulation == Encapsulation::None)?;
    let own: Vec<_> = netlink.addresses.rows().iter().filter(|own| own.ifindex == host.ifindex).collect();
    let is_into_tunnel = |route: &&RouteFact| {
        route.ifindex == Some(host.ifindex)
            && route.mtu.is_some()
            && !own.iter().any(|own| route.destination.contains(&own.address.addr()))
    };
    let routes: Vec<&RouteFact> = netlink.routes.iter().filter(is_into_tunnel).collect();
    let first = routes.first()?;
    let name = escape(&host.name);
    Some(
        Finding::new(
            Fail,
            SubjectKind::Node,
            "data plane",
            "Routes lead other nodes' pods into Cilium's tunnel, and the node has no tunnel device.".to_owned(),
        )
        .seen("such as", format!("{} dev {name}", first.destination), "ip route: with an MTU")
        .seen("such routes", routes.len().to_string(), "ip route")
        .seen("tunnels", "none", "ip link")
        .fix("Restart Cilium's agent on this node, which makes cilium_vxlan or cilium_geneve; read its log when none appears."),
    )
}
