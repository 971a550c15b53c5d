//! The node drops what goes to pod networks that are not its own.

use ipnet::IpNet;

use super::super::{dataplane::bypassed::overridden, prelude::*};
use crate::{
    facts::netlink::{RouteFact, RouteType},
    model::{PodCidrSource, System},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-blackholed",
    family: Family::Peers,
    title: "a route drops what goes to pods of other nodes",
    symptom: "Pods of one other node are not reached from here: the node that has got the network since.",
    core: false,
    needs: &[Need::Files, Need::Routes, Need::TunnelTables, Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "Blackhole routes inside of the cluster's network, as large as this node's own pod network and not it; and routes that drop \
              packets (blackhole, unreachable, prohibit) to a peer's pod network, or to a part of it, and are taken instead of the \
              tunnel's.",
        why: "flannel writes a blackhole route for the node's pod network (--ip-blackhole-route) and removes none: when the node gets \
              another network, the route of the earlier one stays. Or somebody wrote the route, to cut pods off.",
        fix: "Delete the route.",
        not_if: "Calico's blocks have blackhole routes of their own: those are not judged.",
        seen_in: "rke2#11170",
    },
    run,
};

/// `rtm_protocol` of Calico's routes: its agent's, and BIRD's.
const CALICO: [u8; 2] = [80, 12];

fn run(model: &Model) -> Outcome {
    let cut_off = cut_off(model);
    if !cut_off.is_empty() {
        return Outcome::Judged(cut_off);
    }
    let inventory = &model.inventory;
    let is_flannels =
        |system: System| matches!(system, System::Canal | System::Flannel | System::Rke2Flannel);
    let is_here = inventory.data_planes.iter().any(|plane| is_flannels(plane.system) && !plane.is_stale());
    // Without one of the node's own, others are nobody's that is known here.
    let own = || inventory.node.pod_cidrs.iter().filter(|own| own.source == PodCidrSource::BlackholeRoute);
    if !is_here || own().next().is_none() {
        return Outcome::DoesNotApply("flannel has no blackhole route here");
    }
    let cidrs = model.setup.intent.as_ref().map(|intent| intent.cluster_cidrs.as_slice()).unwrap_or_default();
    let is_left = |route: &&RouteFact| {
        let network = route.destination;
        let is_kin = |other: &IpNet| {
            other.addr().is_ipv4() == network.addr().is_ipv4() && other.prefix_len() == network.prefix_len()
        };
        route.kind == RouteType::Blackhole
            && !CALICO.contains(&route.protocol)
            && own().any(|own| is_kin(&own.cidr))
            && inventory.node.pod_cidrs.iter().all(|own| own.cidr != network)
            && cidrs.iter().any(|cidr| cidr.value.contains(&network))
    };
    let left = model.snapshot.netlink.routes.iter().filter(is_left);
    Outcome::Judged(left.map(|route| finding(model, route.destination)).collect())
}

/// Routes that drop what goes to a peer's pods, which the tunnel would carry.
fn cut_off(model: &Model) -> Vec<Finding> {
    let routes = model.snapshot.netlink.routes.iter().filter(|route| !CALICO.contains(&route.protocol));
    routes
        .filter_map(|route| {
            let word = route.kind.dropping()?;
            overridden(model, route)?;
            let network = route.destination;
            let summary = format!("Packets to {network}, pods of another node, are dropped here by a route.");
            Some(
                Finding::new(Fail, SubjectKind::Peer, &network.to_string(), summary)
                    .seen("route", format!("{word} {network}"), "ip route")
                    .fix("Delete the route, and find who wrote it: the tunnel's own route is taken then.")
                    .run(format!("ip route del {word} {network}")),
            )
        })
        .collect()
}

fn finding(model: &Model, network: IpNet) -> Finding {
    // The agent could not write the route of a peer whose network it is, or a wider one leads to it.
    let is_peers = model.inventory.peers.iter().any(|peer| peer.pod_cidrs.contains(&network));
    let is_wanted = is_peers
        || model.snapshot.netlink.neighbours.iter().any(|neighbour| {
            neighbour.permanent && neighbour.mac.is_some() && neighbour.address == network.network()
        });
    let own = model
        .inventory
        .node
        .pod_cidrs
        .iter()
        .find(|own| own.cidr.addr().is_ipv4() == network.addr().is_ipv4());
    let own = own.map_or_else(|| "unknown".to_owned(), |own| own.cidr.to_string());
    let (severity, summary) = if is_wanted {
        (
            Fail,
            format!("Packets to {network}, the pods of another node, are dropped here by a blackhole route."),
        )
    } else {
        (
            Warn,
            format!("Packets to {network} are dropped here, and it is not this node's pod network any more."),
        )
    };
    Finding::new(severity, SubjectKind::Peer, &network.to_string(), summary)
        .seen("route", format!("blackhole {network}"), "ip route")
        .seen("this node's pods", own, "ip route, ip address")
        .fix("Delete the route; where it hid another one, restart the CNI's agent, which writes that again.")
        .run(format!("ip route del blackhole {network}"))
}
