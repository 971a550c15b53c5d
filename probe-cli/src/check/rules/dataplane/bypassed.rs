//! Another device takes packets of a data plane's tunnel.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{super::prelude::*, devices};
use crate::{
    facts::netlink::{RouteFact, RouteType},
    model::Tunnel,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-bypassed",
    family: Family::Dataplane,
    title: "packets to other nodes' pods leave by another device than the tunnel",
    symptom: "Traffic that should be encapsulated or encrypted is neither, or some pod networks are not reached.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["dataplane-stale-device"],
    explain: Explain {
        how: "Routes to pod networks that are more specific than the tunnel's and leave by another device.",
        why: "A second CNI, a routing daemon or an administrator added routes; or an old backend's stayed.",
        fix: "Find who writes the routes (the word behind `proto` in `ip route show dev DEVICE`: bird, static, dhcp) and stop it, then delete them.",
        not_if: "Direct routing is configured for nodes in the same network.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if devices(model).next().is_none() {
        return Outcome::DoesNotApply("no data plane is here");
    }
    let found = devices(model).filter_map(|device| Some((device, device.bypassed.as_ref()?)));
    let by_another_cni = found.map(|(device, bypass)| {
        let (name, by) = (escape(&device.name), escape(&bypass.by));
        Finding::new(
            Fail,
            SubjectKind::Interface,
            &device.name,
            format!("Packets to {} leave by {by} and not by {name}.", counted(bypass.routes, "pod network")),
        )
        .seen(format!("routes by {by}"), bypass.routes, "ip route")
        .fix(format!("Look at the routes by {by}, find who writes them, and delete those to pod networks."))
        .run(format!("ip route show dev {}", quoted(&bypass.by)))
    });
    Outcome::Judged(by_another_cni.chain(by_other_devices(model)).collect())
}

/// `rtm_protocol` of routes that say nothing here: the kernel's, of connected networks, which another check is about, and those of
/// Calico's agent and of BIRD, which lead to single pods with an address of another node's block.
const NOT_JUDGED: [u8; 3] = [2, 80, 12];

/// Routes to a peer's pods, or to some of them, that are taken instead of the tunnel's and leave by a device that is no tunnel.
fn by_other_devices(model: &Model) -> Vec<Finding> {
    let inventory = &model.inventory;
    // A pod of this node may have an address of another node's block, or be one that is not known.
    let is_pods = |ifindex: u32| {
        let links = &model.snapshot.netlink.links;
        links.iter().any(|link| link.ifindex == ifindex && link.kind.as_deref() == Some("veth"))
            && inventory.all_tunnels().flat_map(Tunnel::underlays).all(|below| below.ifindex != ifindex)
    };
    let mut taken: BTreeMap<(u32, u32), Vec<&RouteFact>> = BTreeMap::new();
    for route in model.snapshot.netlink.routes.iter() {
        let Some(by) = route.ifindex.filter(|_| route.kind == RouteType::Unicast) else { continue };
        if NOT_JUDGED.contains(&route.protocol) || super::is_tunnel(model, by) || is_pods(by) {
            continue;
        }
        if let Some(tunnel) = overridden(model, route) {
            taken.entry((tunnel, by)).or_default().push(route);
        }
    }
    taken
        .into_iter()
        .map(|((tunnel, by), routes)| {
            let name = |ifindex: u32| super::name(model, ifindex);
            let (shown_name, shown_by) = (escape(name(tunnel)), escape(name(by)));
            let networks: Vec<IpNet> = routes.iter().map(|route| route.destination).collect();
            let such_as = networks.first().map_or_else(String::new, ToString::to_string);
            let finding = Finding::new(
                Fail,
                SubjectKind::Interface,
                name(tunnel),
                format!(
                    "Packets to {} of other nodes, such as {such_as}, leave by {shown_by} and not by {shown_name}.",
                    counted(networks.len(), "pod network")
                ),
            )
            .on(tunnel)
            .seen(format!("route to {such_as}"), format!("dev {shown_by}"), "ip route")
            .fix("Delete these routes, and find who writes them (the word behind `proto`: bird, static, dhcp).");
            networks.iter().fold(finding, |finding, network| {
                finding.run(format!("ip route del {network} dev {}", quoted(name(by))))
            })
        })
        .collect()
}

/// The tunnel in use whose own route to the same pods of a peer loses against this one.
pub(in crate::check::rules) fn overridden(model: &Model, route: &RouteFact) -> Option<u32> {
    let inventory = &model.inventory;
    if inventory.node.pod_cidrs.iter().any(|own| own.cidr.contains(&route.destination)) {
        return None;
    }
    let is_of_peer = |network: &IpNet| network.contains(&route.destination);
    let mut peers = inventory.peers.iter().filter(|peer| peer.pod_cidrs.iter().any(is_of_peer));
    let peer = peers.find(|peer| inventory.is_in_use(peer.tunnel))?;
    let own = model.snapshot.netlink.routes.iter().filter(|own| {
        own.ifindex == Some(peer.tunnel)
            && own.kind == RouteType::Unicast
            && own.destination.contains(&route.destination)
    });
    let best = own.map(RouteFact::rank).max()?;
    (route.rank() > best).then_some(peer.tunnel)
}
