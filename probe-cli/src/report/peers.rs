//! Remote nodes as text and JSON: `show peers`. As the kernel's tables have them; names of nodes are in none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::IpAddr,
    time::Duration,
};

use ipnet::IpNet;

use super::{
    align::{heading, indented, wrapped},
    json::Peers,
};
use crate::{
    model::{Encapsulation, Hole, Model, PeerKey, WireguardPeer, WireguardRow},
    text,
};

/// Networks of one peer that are shown in a table.
const NETWORKS: usize = 8;

/// A remote node on one device.
pub(super) struct PeerRow {
    pub(super) tunnel: String,
    pub(super) ifindex: u32,
    pub(super) encapsulation: Encapsulation,
    pub(super) key: Option<String>,
    /// The same for all peers of one node: the first of its addresses.
    pub(super) node: Option<IpAddr>,
    pub(super) node_name: Option<String>,
    pub(super) node_address: Option<IpAddr>,
    pub(super) pod_cidrs: Vec<IpNet>,
    pub(super) last_tx_age_s: Option<u64>,
    /// What only a WireGuard peer has, and what WireGuard itself tells of it.
    pub(super) wireguard: Option<(WireguardPeer, Option<WireguardRow>)>,
}

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    let holes = model.inventory.holes.iter().map(|hole| (hole, name(model, hole.tunnel())));
    super::document(&Peers::new(&rows(model), holes, &model.inventory.notes))
}

/// The name of a device, as the kernel has it.
fn name(model: &Model, ifindex: u32) -> String {
    let inventory = &model.inventory;
    let tunnels = inventory.all_tunnels().map(|tunnel| (tunnel.ifindex, &tunnel.name));
    let links = inventory.links.links.iter().map(|link| (link.ifindex, &link.name));
    let mut named = tunnels.chain(links).filter(|(index, _)| *index == ifindex);
    named.next().map_or_else(|| format!("(interface {ifindex})"), |(_, name)| name.clone())
}

fn rows(model: &Model) -> Vec<PeerRow> {
    let inventory = &model.inventory;
    let names: BTreeMap<u32, (String, Encapsulation)> = inventory
        .all_tunnels()
        .map(|tunnel| (tunnel.ifindex, (tunnel.name.clone(), tunnel.kind.into())))
        .collect();
    let of = |ifindex: u32| {
        names.get(&ifindex).cloned().unwrap_or_else(|| (name(model, ifindex), Encapsulation::None))
    };
    let told: BTreeMap<(u32, PeerKey), WireguardRow> = model
        .peers
        .iter()
        .filter_map(|row| Some(((row.tunnel, row.peer.as_ref()?.key), row.wireguard?)))
        .collect();
    let node_name = |address: IpAddr| inventory.node_names.get(&address).cloned();
    let peers = inventory.peers.iter().map(|peer| {
        let (tunnel, encapsulation) = of(peer.tunnel);
        PeerRow {
            tunnel,
            ifindex: peer.tunnel,
            encapsulation,
            key: Some(peer.key.to_string()),
            node: peer.node_address.map(|address| model.node_of(address)),
            node_name: peer.node_address.and_then(node_name),
            node_address: peer.node_address,
            pod_cidrs: peer.pod_cidrs.clone(),
            last_tx_age_s: peer.last_tx_age_s,
            wireguard: peer.wireguard.map(|known| (known, told.get(&(peer.tunnel, peer.key)).copied())),
        }
    });
    let routed = inventory.routed_peers.iter().map(|peer| {
        let (tunnel, encapsulation) = of(peer.ifindex);
        PeerRow {
            tunnel,
            ifindex: peer.ifindex,
            encapsulation,
            key: None,
            node: Some(model.node_of(peer.node_address)),
            node_name: node_name(peer.node_address),
            node_address: Some(peer.node_address),
            pod_cidrs: peer.pod_cidrs.clone(),
            last_tx_age_s: None,
            wireguard: None,
        }
    });
    peers.chain(routed).collect()
}

/// A table for each device; entries without a counterpart are rows of their own.
pub fn table(model: &Model) -> String {
    let mut out = String::new();
    let mut devices: BTreeMap<u32, (String, Encapsulation, Vec<PeerRow>)> = BTreeMap::new();
    for row in rows(model) {
        let entry = (row.tunnel.clone(), row.encapsulation, Vec::new());
        devices.entry(row.ifindex).or_insert(entry).2.push(row);
    }
    for hole in &model.inventory.holes {
        let entry = (name(model, hole.tunnel()), Encapsulation::Vxlan, Vec::new());
        devices.entry(hole.tunnel()).or_insert(entry);
    }
    let known = devices.keys().copied().collect();
    for (ifindex, (name, encapsulation, rows)) in devices {
        if !out.is_empty() {
            out.push('\n');
        }
        let count = text::counted(rows.len(), "peer");
        let _ = writeln!(out, "{}: {encapsulation}, {count}", text::escape(&name));
        let holes = model.inventory.holes.iter().filter(|hole| hole.tunnel() == ifindex).collect::<Vec<_>>();
        let cells = match encapsulation {
            Encapsulation::Wireguard => wireguard_cells(&rows),
            Encapsulation::Vxlan | Encapsulation::Geneve => vxlan_cells(&rows, &holes),
            Encapsulation::Ipip | Encapsulation::Udp | Encapsulation::None => routed_cells(&rows),
        };
        indented(&mut out, 2, &cells);
    }
    without_peers(&mut out, model, &known);
    for note in &model.inventory.notes {
        wrapped(&mut out, "! ", &text::escape(note));
    }
    out
}

/// Devices of data planes that no peer is known of, and why.
fn without_peers(out: &mut String, model: &Model, known: &BTreeSet<u32>) {
    let inventory = &model.inventory;
    if !out.is_empty() {
        out.push('\n');
    }
    let start = out.len();
    for plane in &inventory.data_planes {
        for device in plane.devices.iter().filter(|device| !known.contains(&device.ifindex)) {
            let tunnel = inventory.tunnel(device.ifindex);
            let why = match (device.peers, plane.encapsulation) {
                (Some(_), _) => "no peer: it leads to no other node",
                (None, _) if tunnel.is_some_and(|tunnel| tunnel.external) => {
                    "its peers are in eBPF maps of its CNI, not in the kernel's tables"
                }
                (None, Encapsulation::Udp) => "its peers are known to flanneld only",
                (None, Encapsulation::Vxlan) => "its peers are not known before packets go to them",
                (None, Encapsulation::None) => "no route leads to other nodes' pods",
                (None, Encapsulation::Wireguard | Encapsulation::Ipip | Encapsulation::Geneve) => {
                    "its peers are not known"
                }
            };
            let stale = if device.stale.is_some() { "; it is probably stale" } else { "" };
            let name = text::escape(&device.name);
            wrapped(out, "", &format!("{name}: {}, {why}{stale}", plane.encapsulation));
        }
        if plane.devices.is_empty() {
            wrapped(out, "", &format!("{}, {}: no other node is known", plane.system, plane.encapsulation));
        }
    }
    if out.len() == start && start > 0 {
        out.pop();
    }
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The row for a peer, whose networks are in column 1: further ones follow in rows of their own, and very many as a number.
fn with_networks(row: Vec<String>, cidrs: &[IpNet]) -> impl Iterator<Item = Vec<String>> {
    let columns = row.len();
    let further = move |words: String| {
        let mut row = vec![String::new(); columns];
        if let Some(cell) = row.get_mut(1) {
            *cell = words;
        }
        row
    };
    let more = cidrs.len().saturating_sub(NETWORKS);
    let shown: Vec<_> = cidrs.iter().take(NETWORKS).skip(1).map(|cidr| further(cidr.to_string())).collect();
    let rest = (more > 0).then(|| further(format!("and {more} more")));
    [row].into_iter().chain(shown).chain(rest)
}

fn first(cidrs: &[IpNet]) -> String {
    or_dash(cidrs.first())
}

fn seconds(age: Option<u64>) -> String {
    age.map_or_else(|| "-".to_owned(), |age| text::age(Some(Duration::from_secs(age))))
}

fn vxlan_cells(rows: &[PeerRow], holes: &[&Hole]) -> Vec<Vec<String>> {
    let lost: BTreeSet<String> = holes
        .iter()
        .filter_map(|hole| match hole {
            Hole::FdbWithoutRoute { mac, .. } => Some(mac.to_string()),
            Hole::RouteWithoutNeighbour { .. } | Hole::NeighbourWithoutFdb { .. } => None,
        })
        .collect();
    let mut cells = vec![heading(&["NODE", "POD NETWORKS", "VTEP MAC", "LAST TX", "PROBLEM"])];
    cells.extend(rows.iter().flat_map(|row| {
        let is_lost = row.key.as_ref().is_some_and(|key| lost.contains(key));
        let hole = if is_lost { "no route to it" } else { "" };
        let cells = vec![
            or_dash(row.node_address),
            first(&row.pod_cidrs),
            or_dash(row.key.as_deref()),
            seconds(row.last_tx_age_s),
            hole.to_owned(),
        ];
        with_networks(cells, &row.pod_cidrs)
    }));
    cells.extend(holes.iter().filter_map(|hole| {
        let dash = || "-".to_owned();
        match hole {
            Hole::RouteWithoutNeighbour { pod_cidr, gateway, .. } => {
                Some(vec![dash(), pod_cidr.to_string(), dash(), dash(), format!("no neighbour {gateway}")])
            }
            Hole::NeighbourWithoutFdb { neighbour, mac, .. } => {
                Some(vec![dash(), dash(), mac.to_string(), dash(), format!("no FDB entry for {neighbour}")])
            }
            Hole::FdbWithoutRoute { .. } => None,
        }
    }));
    cells
}

fn wireguard_cells(rows: &[PeerRow]) -> Vec<Vec<String>> {
    let mut cells = vec![heading(&["ENDPOINT", "ALLOWED IPS", "PUBLIC KEY", "HSHAKE", "TX", "RX"])];
    cells.extend(rows.iter().flat_map(|row| {
        let (known, told) = row.wireguard.unzip();
        let told = told.flatten();
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), text::bytes);
        // A key's first characters, as in other tables.
        let key = row.key.as_deref().map(|key| format!("{}...", key.chars().take(8).collect::<String>()));
        let cells = vec![
            or_dash(known.and_then(|known| known.endpoint)),
            first(&row.pod_cidrs),
            or_dash(key),
            or_dash(told.map(|told| text::age(told.handshake.age()))),
            bytes(told.map(|told| told.bytes.tx)),
            bytes(told.map(|told| told.bytes.rx)),
        ];
        with_networks(cells, &row.pod_cidrs)
    }));
    cells
}

fn routed_cells(rows: &[PeerRow]) -> Vec<Vec<String>> {
    let mut cells = vec![heading(&["NODE", "POD NETWORKS"])];
    cells.extend(rows.iter().flat_map(|row| {
        with_networks(vec![or_dash(row.node_address), first(&row.pod_cidrs)], &row.pod_cidrs)
    }));
    cells
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::facts::netlink::{Facts, LinkFact, VxlanFact};
    use crate::{
        facts::pods::PodFacts,
        model::{PerDirection, PublicKey, once},
        sample::{Frame, Sample, WireguardSample},
    };
    use crate::{inventory::testdata::*, model::testdata::of_facts, report::align::WIDTH};
    use std::sync::Arc;

    fn node_with_everything() -> Facts {
        let mut facts = flannel6(flannel4(node(), 3), 2);
        facts.neighbours.retain(|neighbour| neighbour.address != ip("10.42.2.0"));
        facts.fdb.retain(|entry| entry.mac != mac(3));
        facts.fdb[0].used_s = Some(4000);
        facts.links.push(wireguard(9, "flannel-wg"));
        let mut device = wireguard_fact(9, 51820, &["10.42.2.0/24", "10.42.3.0/24"]);
        device.peers[1].endpoint = Some("[2001:db8:1111:2222:3333:4444:5555:6666]:51821".parse().unwrap());
        device.peers[1].allowed_ips.push(net("fd42:0:0:3::/64"));
        facts.wireguard.push(told(device));
        let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
        facts.links.push(vxlan(30, "cilium_\u{1b}vxlan", data));
        facts.routes.push(blackhole("10.42.0.0/24"));
        facts.routes.push(route("10.42.77.0/24", Some("192.0.2.77"), ETH0));
        facts
    }

    fn model() -> Model {
        let snapshot = Arc::new(snapshot(&node_with_everything(), &PodFacts::default(), &[]));
        let key = |number: u8| (9, PeerKey::PublicKey(PublicKey([number; 32])));
        let told = WireguardSample {
            last_handshake: Some(Duration::from_secs(900)),
            bytes: PerDirection { rx: 5_000_000, tx: 1_234 },
        };
        let sample = Sample {
            time: Duration::from_secs(1000),
            wireguard: [(key(2), told), (key(3), WireguardSample::default())].into(),
            ..Sample::default()
        };
        Arc::unwrap_or_clone(once(Frame { snapshot, sample }))
    }

    #[test]
    fn a_table_for_each_device() {
        let text = table(&model());
        insta::assert_snapshot!("peers", text);
        for line in text.lines() {
            assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn the_document_is_documented() {
        let document = json(&model()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        insta::assert_snapshot!("peers-json", serde_json::to_string_pretty(&value).unwrap());
        crate::report::documented(&value, "# The JSON of `show peers --format json`");
    }

    /// A node that knows no other one is told so, device by device, and nothing is said of none.
    #[test]
    fn devices_without_peers() {
        let tun = LinkFact {
            kind: Some("tun".to_owned()),
            hardware_type: libc::ARPHRD_NONE,
            ..ethernet(9, "flannel0")
        };
        let mut udp = bridged_pod(node(), 20, "10.42.0.1/24");
        udp.links.push(tun);
        udp.addresses.push(address(9, "10.42.0.0/16"));
        let mut stale = node();
        stale.links.push(vxlan(
            FLANNEL,
            "flannel.1",
            VxlanFact { vni: 1, port: 8472, ..VxlanFact::default() },
        ));
        let demand = VxlanFact { vni: 1, port: 8472, l3miss: Some(true), ..VxlanFact::default() };
        let mut on_demand = bridged_pod(node(), 20, "10.42.0.1/24");
        on_demand.links.push(vxlan(FLANNEL, "flannel.1", demand));
        on_demand.addresses.push(address(FLANNEL, "10.42.0.0/16"));
        let mut external = cilium_host(node(), 20);
        let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
        external.links.push(vxlan(30, "cilium_vxlan", data));
        let mut bgp = calico_pod(node(), 20, "10.42.0.65/32");
        bgp.routes.push(crate::facts::netlink::RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
        for (facts, expected) in [
            (flannel4(node(), 0), "flannel.1: VXLAN, no peer: it leads to no other node"),
            (stale, "flannel.1: VXLAN, no peer: it leads to no other node; it is probably stale"),
            (udp, "flannel0: UDP in user space, its peers are known to flanneld only"),
            (on_demand, "flannel.1: VXLAN, its peers are not known before packets go to them"),
            (
                external,
                "cilium_vxlan: VXLAN, its peers are in eBPF maps of its CNI, not in the kernel's tables",
            ),
            (cilium_host(node(), 20), "cilium_host: no encapsulation, no route leads to other nodes' pods"),
            (bgp, "Calico, no encapsulation: no other node is known"),
            (node(), ""),
        ] {
            let text = table(&of_facts(&facts)).trim_end().replace('\n', " ");
            assert_eq!(text, expected);
        }
        // Beside one that has peers.
        let text = table(&of_facts(&flannel6(flannel4(node(), 1), 0)));
        let line = "\n\nflannel-v6.1: VXLAN, no peer: it leads to no other node; it is probably stale\n";
        assert!(text.contains("1 peer\n") && text.ends_with(line), "{text}");
    }
}
