//! The device below a tunnel is down.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::super::prelude::*;
use crate::model::{Fault, LinkState};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-underlay-down",
    family: Family::Dataplane,
    title: "the device below a tunnel is down",
    symptom: "Pods of this node reach no pod of another node.",
    core: true,
    needs: &[Need::Routes, Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "IFF_UP and carrier (IFLA_OPERSTATE, IFLA_CARRIER) of each device that outer packets leave by; or that has an address in \
              the network of peers, where no route tells.",
        why: "A cable, a switch port, a bond without an active port, a NIC that an administrator or a network manager took down.",
        fix: "Bring the device up; look at the switch port and, with a bond, at /proc/net/bonding/NAME.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let mut tunnels = inventory.all_tunnels().filter(|tunnel| inventory.is_of_cni(tunnel.ifindex));
    let taken_down = taken_down(model);
    if taken_down.is_empty() && !tunnels.any(|tunnel| tunnel.underlay.is_some()) {
        return Outcome::DoesNotApply("no tunnel has a device below it");
    }
    Outcome::Judged(
        model.faults.iter().chain(&taken_down).filter_map(|fault| finding(model, fault)).collect(),
    )
}

/// Devices that are down and in whose network peers are, of tunnels that nothing tells to be above any: WireGuard's have no lower
/// device, and the kernel removes the routes by one that goes down. Its IPv4 addresses stay.
fn taken_down(model: &Model) -> Vec<Fault> {
    let inventory = &model.inventory;
    let mut found: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let of_cni = inventory.all_tunnels().filter(|tunnel| inventory.is_of_cni(tunnel.ifindex));
    for tunnel in of_cni.filter(|tunnel| tunnel.underlay.is_none() && tunnel.up) {
        let peers = inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
        let nodes: Vec<IpAddr> = peers.filter_map(|peer| peer.node_address).collect();
        for own in model.snapshot.netlink.addresses.rows() {
            if nodes.iter().any(|node| own.address.contains(node)) {
                found.entry(own.ifindex).or_default().insert(&tunnel.name);
            }
        }
    }
    let links = model.inventory.links.links.iter().filter(|link| link.state != LinkState::Up);
    links
        .filter_map(|link| {
            let tunnels = found.get(&link.ifindex)?.iter().map(|name| (*name).to_owned()).collect();
            let (name, state) = (link.name.clone(), Some(link.state));
            Some(Fault::UnderlayDown { ifindex: link.ifindex, name, state, tunnels })
        })
        .collect()
}

fn finding(model: &Model, fault: &Fault) -> Option<Finding> {
    let Fault::UnderlayDown { ifindex, name: device, state, tunnels } = fault else { return None };
    let name = escape(device);
    let above = || model.inventory.all_tunnels().filter(|tunnel| tunnels.contains(&tunnel.name));
    // Above what is down there may be more tunnels than are known when nothing ties them to it, as WireGuard's.
    let is_known = above().all(|tunnel| tunnel.underlay.is_some());
    let above: Vec<u32> =
        above().map(|tunnel| tunnel.ifindex).chain([*ifindex]).filter(|_| is_known).collect();
    let tunnels = tunnels.iter().map(|tunnel| escape(tunnel)).collect::<Vec<_>>().join(", ");
    let (state, is_down) = match state {
        Some(LinkState::Down) => ("down", true),
        Some(LinkState::NoCarrier | LinkState::Up) => ("up, no carrier", false),
        None => ("not there any more", false),
    };
    let summary = format!("{name} is {state}: packets of {tunnels} cannot leave this node.");
    let finding = Finding::new(Fail, SubjectKind::Interface, device, summary).seen(
        name,
        state,
        "ip link: flags, operstate",
    );
    let finding = above.into_iter().fold(finding, Finding::on);
    Some(if is_down {
        finding
            .fix(
                "Bring the device up, and let the network's manager (nmcli, networkctl, ifup) configure it again: the kernel \
                 has removed its routes and IPv6 addresses.",
            )
            .run(format!("ip link set {} up", quoted(device)))
    } else {
        finding.fix_elsewhere("check the cable, the switch port, or the hypervisor's virtual NIC.")
    })
}
