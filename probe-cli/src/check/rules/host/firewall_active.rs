//! A firewall's manager runs, and nothing shows that it lets the overlay through.

use super::super::{planned, prelude::*};
use crate::{
    facts::files::{Firewall, FirewallKind, Passed, Sourced},
    model::{LinkRole, Tunnel},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-firewall-active",
    family: Family::Host,
    title: "a firewall is on that does not let the overlay through",
    symptom: "Pods of different nodes do not reach each other, at times only after the firewall was reloaded.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "firewalld's service runs, or ufw is enabled, and none of its files lets in the tunnel's UDP port, the other nodes' \
              network, the pods' network or the interface below the tunnel. The kernel's own rules are not read.",
        why: "Distributions turn a firewall on that knows nothing of pods. It drops the tunnel's packets and what is forwarded, and \
              a reload removes rules that the CNI or kube-proxy wrote. RKE2 asks to turn firewalld off with its own CNIs.",
        fix: "Turn it off, or let the tunnel's port and the pods' network through on every node.",
        not_if: "Its rules were changed without its files: by `firewall-cmd` without `--permanent`, or by another program.",
        seen_in: "rke2#774, rke2#600, calico#5232",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let firewalls = model.snapshot.files.value().map(|files| files.firewalls.as_slice()).unwrap_or_default();
    if firewalls.is_empty() {
        return Outcome::DoesNotApply("neither firewalld nor ufw is installed");
    }
    if model.inventory.data_planes.is_empty() {
        return Outcome::DoesNotApply("no data plane is here");
    }
    let is_on = |firewall: &&Firewall| firewall.is_on == Some(true);
    let shut = firewalls.iter().filter(is_on).filter(|firewall| {
        let passes = |passed: &Sourced<Passed>| lets_through(model, &passed.value);
        !firewall.passes.iter().any(passes)
    });
    let findings: Vec<Finding> = shut.map(|firewall| finding(model, firewall)).collect();
    let unknown = firewalls.iter().find(|firewall| firewall.is_on.is_none());
    match unknown.filter(|_| findings.is_empty()) {
        Some(firewall) => Outcome::NotJudged(format!("whether {} is on is not known", name(firewall.kind))),
        None => Outcome::Judged(findings),
    }
}

fn name(kind: FirewallKind) -> &'static str {
    match kind {
        FirewallKind::Firewalld => "firewalld",
        FirewallKind::Ufw => "ufw",
    }
}

fn tunnels(model: &Model) -> impl Iterator<Item = &Tunnel> {
    let inventory = &model.inventory;
    inventory.all_tunnels().filter(|tunnel| inventory.is_in_use(tunnel.ifindex))
}

/// UDP ports of the tunnels that are here, or of those that are planned (`check --for`).
fn ports(model: &Model) -> Vec<u16> {
    match model.planned_backend.map(|_| planned::of(model)) {
        Some(Ok(planned)) => planned::ports(&planned),
        Some(Err(_)) | None => tunnels(model).filter_map(|tunnel| tunnel.port).collect(),
    }
}

/// Something of what the overlay needs is let in: whoever wrote that has thought of it.
fn lets_through(model: &Model, passed: &Passed) -> bool {
    let inventory = &model.inventory;
    match passed {
        Passed::All => true,
        Passed::Network(network) => {
            let cidrs =
                model.setup.intent.iter().flat_map(|intent| &intent.cluster_cidrs).map(|cidr| cidr.value);
            let own = inventory.node.pod_cidrs.iter().map(|own| own.cidr);
            let by_tunnel = inventory.peers.iter().filter_map(|peer| peer.node_address);
            let mut nodes = by_tunnel.chain(inventory.routed_peers.iter().map(|peer| peer.node_address));
            cidrs.chain(own).any(|cidr| network.contains(&cidr))
                || nodes.any(|node| network.contains(&node))
                || inventory.node.addresses.iter().any(|own| network.contains(&own.address.addr()))
        }
        Passed::Interface(name) => {
            // iptables has `+` for any end.
            let is_it = |other: &str| match name.strip_suffix('+') {
                Some(start) => other.starts_with(start),
                None => name == other,
            };
            let below = tunnels(model).flat_map(Tunnel::underlays).map(|below| below.name.as_str());
            let planes = inventory.data_planes.iter().flat_map(|plane| &plane.devices);
            let bridges =
                inventory.links.links.iter().filter(|link| link.roles.contains(&LinkRole::PodBridge));
            let bridges = bridges.map(|link| link.name.as_str());
            below.chain(planes.map(|device| device.name.as_str())).chain(bridges).any(is_it)
        }
        Passed::Ports { first, last } => ports(model).iter().any(|port| (*first..=*last).contains(port)),
    }
}

fn finding(model: &Model, firewall: &Firewall) -> Finding {
    let name = name(firewall.kind);
    let (said_by, stop) = match firewall.kind {
        FirewallKind::Firewalld => {
            ("control group of firewalld.service", "systemctl disable --now firewalld")
        }
        FirewallKind::Ufw => ("/etc/ufw/ufw.conf: ENABLED", "ufw disable"),
    };
    let ports: Vec<String> = ports(model).iter().map(|port| format!("{port}/udp")).collect();
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Setting,
        name,
        format!("{name} is on, and none of its files lets the overlay through."),
    )
    .seen(name, "on", said_by)
    .seen(
        "networks, interfaces and UDP ports let in",
        firewall.passes.len(),
        "its files; none is the overlay's",
    );
    if !ports.is_empty() {
        finding = finding.seen("the tunnels need", ports.join(", "), "ip -d link, wg show");
    }
    finding
        .fix(
            "Turn the firewall off on every node, as RKE2 asks; or let the tunnel's port, the other nodes and the pods' network through. \
             Connections that it protects the node from are open then: filter them outside of the node.",
        )
        .run(stop)
}
