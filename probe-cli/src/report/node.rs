//! The node as text and JSON: `show node`. What the kernel has is one section, "actual"; what files want of it is in
//! `intended`, beside this.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::{
    align::{aligned, heading, indented, wrapped},
    intended,
};
use crate::model::Model;
use crate::{
    model::{
        Certainty, Chart, DataPlane, DefaultRoute, Encapsulation, Intent, Inventory, Mac, NodeAddress,
        OuterRoute, OwnPodCidr, PlaneDevice, PodCidrSource, System, Tunnel, TunnelKind, Underlay,
    },
    text,
};

/// One document.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    hostname: Option<&'a str>,
    kernel: Option<&'a str>,
    actual: Actual<'a>,
    intended: Option<&'a Intent>,
    side_by_side: Vec<intended::Row<'a>>,
    charts: &'a [Chart],
    has_wireguard: Option<bool>,
    notes: &'a [String],
}

/// What the kernel has.
#[derive(Serialize)]
struct Actual<'a> {
    data_planes: Vec<Plane<'a>>,
    pod_cidrs: &'a [OwnPodCidr],
    addresses: &'a [NodeAddress],
    default_routes: &'a [DefaultRoute],
    tunnels: Vec<TunnelRow<'a>>,
    peers: usize,
    holes: usize,
    pod_interfaces: usize,
}

#[derive(Serialize)]
struct Plane<'a> {
    system: System,
    encapsulation: Encapsulation,
    certainty: Option<Certainty>,
    families: Vec<u8>,
    left_over: bool,
    evidence: &'a [String],
    devices: &'a [PlaneDevice],
}

#[derive(Serialize)]
struct TunnelRow<'a> {
    name: &'a str,
    ifindex: u32,
    kind: TunnelKind,
    vni: Option<u32>,
    external: bool,
    port: Option<u16>,
    local: Option<IpAddr>,
    outer_family: Option<u8>,
    underlay: Option<UnderlayRow<'a>>,
    more_underlays: Vec<UnderlayRow<'a>>,
    mtu: u32,
    mac: Option<Mac>,
    public_key: Option<String>,
    addresses: &'a [IpNet],
    up: bool,
    peers: Option<usize>,
    outer_routes: Vec<RouteRow<'a>>,
}

#[derive(Serialize)]
struct RouteRow<'a> {
    destination: Option<IpNet>,
    gateway: Option<IpAddr>,
    interface: Option<&'a str>,
    mtu: Option<u32>,
    peers: usize,
}

#[derive(Serialize)]
struct UnderlayRow<'a> {
    name: &'a str,
    ifindex: u32,
    mtu: u32,
}

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    let inventory: &Inventory = &model.inventory;
    let planes = inventory.data_planes.iter().map(|plane| Plane {
        system: plane.system,
        encapsulation: plane.encapsulation,
        certainty: plane.certainty,
        families: plane.families(),
        left_over: plane.is_left_over(),
        evidence: &plane.evidence,
        devices: &plane.devices,
    });
    let actual = Actual {
        data_planes: planes.collect(),
        pod_cidrs: &inventory.node.pod_cidrs,
        addresses: &inventory.node.addresses,
        default_routes: &inventory.node.default_routes,
        tunnels: inventory.all_tunnels().map(|tunnel| tunnel_row(model, tunnel)).collect(),
        peers: inventory.peers.len() + inventory.routed_peers.len(),
        holes: inventory.holes.len(),
        pod_interfaces: inventory.pod_links.len(),
    };
    let document = Document {
        schema_version: 1,
        hostname: inventory.node.hostname.as_deref(),
        kernel: inventory.node.kernel.as_deref(),
        actual,
        intended: model.setup.intent.as_ref(),
        side_by_side: model.setup.comparison.iter().map(Into::into).collect(),
        charts: &model.setup.charts,
        has_wireguard: inventory.node.has_wireguard,
        notes: &inventory.notes,
    };
    super::document(&document)
}

fn tunnel_row<'a>(model: &'a Model, tunnel: &'a Tunnel) -> TunnelRow<'a> {
    let routes = model.inventory.outer_routes.iter().filter(|route| route.tunnel == tunnel.ifindex);
    let routes = routes.map(|route| RouteRow {
        destination: route.destination,
        gateway: route.gateway,
        interface: route.interface.as_deref(),
        mtu: route.mtu,
        peers: route.peers,
    });
    let row = |underlay: &'a Underlay| UnderlayRow {
        name: &underlay.name,
        ifindex: underlay.ifindex,
        mtu: underlay.mtu,
    };
    TunnelRow {
        name: &tunnel.name,
        ifindex: tunnel.ifindex,
        kind: tunnel.kind,
        vni: tunnel.vni,
        external: tunnel.external,
        port: tunnel.port,
        local: tunnel.local,
        outer_family: tunnel.outer_family,
        underlay: tunnel.underlay.as_ref().map(row),
        more_underlays: tunnel.more_underlays.iter().map(row).collect(),
        mtu: tunnel.mtu,
        mac: tunnel.mac,
        public_key: tunnel.public_key.map(|key| key.to_string()),
        addresses: &tunnel.addresses,
        up: tunnel.up,
        peers: peers_of(&model.inventory, tunnel),
        outer_routes: routes.collect(),
    }
}

/// Remote nodes that the tunnel knows, where that is known.
fn peers_of(inventory: &Inventory, tunnel: &Tunnel) -> Option<usize> {
    let mut devices = inventory.data_planes.iter().flat_map(|plane| &plane.devices);
    devices.find(|device| device.ifindex == tunnel.ifindex)?.peers
}

/// The node in a few blocks, then what is odd about it.
pub fn table(model: &Model) -> String {
    let mut out = String::new();
    let inventory: &Inventory = &model.inventory;
    indented(&mut out, 0, &facts(model));
    out.push('\n');
    if let Some(intent) = &model.setup.intent {
        intended::table(&mut out, intent, &model.setup.comparison, &model.setup.charts);
    }
    actual(&mut out, model);
    for note in odd(inventory).iter().chain(&inventory.notes) {
        wrapped(&mut out, "! ", &text::escape(note));
    }
    out
}

/// What is odd about the data planes.
fn odd(inventory: &Inventory) -> Vec<String> {
    let devices = inventory.data_planes.iter().flat_map(|plane| &plane.devices);
    devices.flat_map(PlaneDevice::oddities).collect()
}

fn facts(model: &Model) -> Vec<Vec<String>> {
    let inventory: &Inventory = &model.inventory;
    let node = &inventory.node;
    let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), text::escape);
    let mut rows = Vec::new();
    let mut add = |name: &str, values: Vec<String>| {
        let values = if values.is_empty() { vec!["-".to_owned()] } else { values };
        for (number, value) in values.into_iter().enumerate() {
            rows.push(vec![if number == 0 { name.to_owned() } else { String::new() }, value]);
        }
    };
    add("host name", vec![or_dash(node.hostname.as_deref())]);
    let wireguard = match node.has_wireguard {
        Some(true) => "",
        Some(false) => ", without WireGuard",
        None => ", WireGuard unknown",
    };
    add("kernel", vec![format!("{}{wireguard}", or_dash(node.kernel.as_deref()))]);
    let own = |own: &OwnPodCidr| format!("{} ({})", own.cidr, known_by(own.source));
    add("pod networks", node.pod_cidrs.iter().map(own).collect());
    let address = |own: &NodeAddress| format!("{} on {}", own.address, text::escape(&own.interface));
    add("addresses", node.addresses.iter().map(address).collect());
    let default = |route: &DefaultRoute| {
        let via = route.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
        let metric = if route.metric == 0 { String::new() } else { format!(", metric {}", route.metric) };
        format!("IPv{}{via} on {}{metric}", route.family, or_dash(route.interface.as_deref()))
    };
    add("default routes", node.default_routes.iter().map(default).collect());
    let holes = inventory.holes.len();
    let holes = if holes == 0 {
        String::new()
    } else {
        format!(", {} in their tables", text::counted(holes, "hole"))
    };
    add("peers", vec![format!("{}{holes}", inventory.peers.len() + inventory.routed_peers.len())]);
    add("pod interfaces", vec![inventory.pod_links.len().to_string()]);
    rows
}

fn known_by(source: PodCidrSource) -> &'static str {
    match source {
        PodCidrSource::BlackholeRoute => "blackhole route",
        PodCidrSource::Bridge => "bridge",
        PodCidrSource::HostRoute => "route by a host device",
        PodCidrSource::TunnelAddress => "tunnel address",
    }
}

/// What carries pods' packets, and by what.
fn actual(out: &mut String, model: &Model) {
    let inventory: &Inventory = &model.inventory;
    if inventory.data_planes.is_empty() {
        out.push_str("No data plane leads to other nodes' pods.\n");
        return;
    }
    for plane in &inventory.data_planes {
        out.push_str(&title(plane));
        out.push('\n');
        for words in &plane.evidence {
            wrapped(out, "  - ", &text::escape(words));
        }
        let mut rows = vec![heading(&["DEVICE", "CARRIES", "PEERS", "ROUTES", ""])];
        rows.extend(plane.devices.iter().map(|device| {
            let standing = match (&device.left_over, &device.bypassed) {
                (Some(_), _) => "looks left over",
                (None, Some(_)) => "bypassed",
                (None, None) => "",
            };
            vec![
                text::escape(&device.name),
                families(&device.families),
                device.peers.map_or_else(|| "-".to_owned(), |peers| peers.to_string()),
                device.routes.to_string(),
                standing.to_owned(),
            ]
        }));
        indented(out, 2, &rows);
        out.push('\n');
    }
    let mut rows = vec![heading(&["TUNNEL", "KIND", "LOCAL", "UNDERLAY", "MTU", "STATE"])];
    rows.extend(inventory.all_tunnels().map(|tunnel| {
        let underlays: Vec<_> = tunnel.underlays().map(|underlay| text::escape(&underlay.name)).collect();
        vec![
            text::escape(&tunnel.name),
            kind(tunnel),
            tunnel.local.map_or_else(|| "-".to_owned(), |local| local.to_string()),
            if underlays.is_empty() { "-".to_owned() } else { underlays.join(" ") },
            tunnel.mtu.to_string(),
            if tunnel.up { "up" } else { "down" }.to_owned(),
        ]
    }));
    if rows.len() > 1 {
        aligned(out, &rows);
    }
    let mut rows = vec![heading(&["OUTER PACKETS OF", "TAKE ROUTE", "VIA", "PEERS"])];
    rows.extend(model.inventory.outer_routes.iter().map(|route| outer_route(inventory, route)));
    if rows.len() > 1 {
        out.push('\n');
        aligned(out, &rows);
    }
}

fn outer_route(inventory: &Inventory, route: &OuterRoute) -> Vec<String> {
    let tunnel = inventory.all_tunnels().find(|tunnel| tunnel.ifindex == route.tunnel);
    let interface = route.interface.as_deref().map(text::escape);
    let via: Vec<String> =
        route.gateway.map(|gateway| gateway.to_string()).into_iter().chain(interface).collect();
    vec![
        tunnel.map_or_else(|| "-".to_owned(), |tunnel| text::escape(&tunnel.name)),
        route.destination.map_or_else(|| "none".to_owned(), |destination| destination.to_string()),
        if via.is_empty() { "-".to_owned() } else { via.join(" ") },
        route.peers.to_string(),
    ]
}

/// `Canal, VXLAN (certain)`.
fn title(plane: &DataPlane) -> String {
    let certainty = match plane.certainty {
        Some(Certainty::Certain) => " (certain)",
        Some(Certainty::Likely) => " (likely)",
        None => "",
    };
    let left_over = if plane.is_left_over() { ", looks left over" } else { "" };
    let system = match plane.system {
        System::Unknown => "Overlay of unknown origin".to_owned(),
        system => system.to_string(),
    };
    format!("{system}, {}{certainty}{left_over}", plane.encapsulation)
}

/// `vxlan 1:8472`: the VNI and the port.
fn kind(tunnel: &Tunnel) -> String {
    let vni = match (tunnel.vni, tunnel.external) {
        (Some(vni), _) => format!(" {vni}"),
        (None, true) => " any".to_owned(),
        (None, false) => String::new(),
    };
    let port = tunnel.port.map_or_else(String::new, |port| format!(" port {port}"));
    format!("{}{vni}{port}", tunnel.kind)
}

/// `IPv4 IPv6`.
pub(super) fn families(families: &[u8]) -> String {
    if families.is_empty() {
        return "-".to_owned();
    }
    families.iter().map(|family| format!("IPv{family}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::facts::netlink::Facts;
    use crate::{inventory::testdata::*, model::testdata::of_facts, report::align::WIDTH};

    fn seen(facts: &Facts) -> Model {
        let mut model = of_facts(facts);
        let node = &mut Arc::make_mut(&mut model.inventory).node;
        node.hostname = Some("worker-\u{1b}1".to_owned());
        node.kernel = Some("6.12.0".to_owned());
        node.has_wireguard = Some(false);
        model
    }

    /// Half-way from VXLAN to WireGuard, both families, a hole, a hostile name.
    fn node_in_between() -> Model {
        let mut facts = calico_pod(flannel6(flannel4(node(), 2), 1), 20, "10.42.0.5/32");
        facts.routes.push(blackhole("10.42.0.0/24"));
        facts.links.push(wireguard(9, "flannel-wg"));
        facts.routes.push(route("10.42.0.0/16", None, 9));
        facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
        facts.neighbours.pop();
        facts.links.iter_mut().filter(|link| link.ifindex == FLANNEL6).for_each(|link| {
            "fl\u{202e}-v6.1".clone_into(&mut link.name);
        });
        seen(&facts)
    }

    #[test]
    fn tables_of_nodes() {
        let plain = seen(&calico_pod(flannel4(node(), 2), 20, "10.42.0.5/32"));
        let nothing = seen(&node());
        let unknown = {
            let mut facts = node();
            facts.links.push(wireguard(9, "wg0"));
            seen(&facts)
        };
        for (name, seen) in
            [("plain", plain), ("in-between", node_in_between()), ("nothing", nothing), ("unknown", unknown)]
        {
            let text = table(&seen);
            insta::assert_snapshot!(format!("node-{name}"), text);
            for line in text.lines() {
                assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
            }
        }
    }

    #[test]
    fn the_document_is_documented() {
        let document = json(&node_in_between()).unwrap();
        assert!(!document.trim_end().contains(char::is_control), "{document:?}");
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        insta::assert_snapshot!("node-json", serde_json::to_string_pretty(&value).unwrap());
        crate::report::documented(&value, "# The JSON of `show node --format json`");
    }
}
