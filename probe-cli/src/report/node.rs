//! The node as text and JSON: `show node`. What the kernel has is one section, "actual"; what files want of it is in
//! `intended`, beside this.

use super::{
    align::{aligned, heading, indented, wrapped},
    intended,
    json::Node,
};
use crate::{
    model::{
        Backend, Certainty, DataPlane, DefaultRoute, Inventory, LinkState, Model, NodeAddress, OuterRoute,
        OwnPodCidr, PlaneDevice, PodCidrSource, RemoteNodes, System, Tunnel, TunnelKind,
    },
    text,
};

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    super::document(&Node::from(model))
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
    let of_devices = devices.flat_map(PlaneDevice::oddities);
    let one_sided = inventory.data_planes.iter().flat_map(|plane| one_sided(inventory, plane));
    let processes = inventory.other_tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Udp);
    let silent = processes.filter(|tunnel| state(inventory, tunnel) == LinkState::NoCarrier).map(|tunnel| {
        format!(
            "{} has no carrier: no process holds it, so flanneld, which wraps its packets, does not run",
            tunnel.name
        )
    });
    let down = inventory.data_planes.iter().flat_map(|plane| down(inventory, plane));
    of_devices.chain(down).chain(one_sided).chain(silent).collect()
}

/// Devices that somebody set down, with what helps where an agent looks after them.
fn down<'a>(inventory: &'a Inventory, plane: &'a DataPlane) -> impl Iterator<Item = String> + 'a {
    let devices = plane.devices.iter().filter(|device| device.stale.is_none());
    devices.filter(|device| is_down(inventory, device.ifindex)).map(|device| {
        let remedy = if plane.system == System::Unknown {
            ""
        } else {
            ", and the kernel has removed its routes; set it up and restart the CNI's agent, which writes them"
        };
        format!("{} is down: it carries nothing{remedy}", device.name)
    })
}

/// A tunnel that somebody set down.
pub(super) fn is_down(inventory: &Inventory, ifindex: u32) -> bool {
    inventory.all_tunnels().any(|tunnel| tunnel.ifindex == ifindex && !tunnel.up)
}

/// Devices that lead to no other node, while another one of the same data plane does: pods have addresses of both families, and
/// reach other nodes with one.
fn one_sided<'a>(inventory: &'a Inventory, plane: &'a DataPlane) -> impl Iterator<Item = String> + 'a {
    let idle = plane.devices.iter().filter(|device| device.idle && device.stale.is_none());
    idle.filter_map(|device| {
        let tunnel = inventory.tunnel(device.ifindex)?;
        let family = tunnel.outer_family?;
        let is_of_family = |own: &&OwnPodCidr| own.cidr.addr().is_ipv4() == (family == 4);
        let own = inventory.node.pod_cidrs.iter().find(is_of_family)?;
        let other = plane.devices.iter().find(|other| other.peers.is_some_and(|peers| peers > 0))?;
        Some(format!(
            "{} leads to no other node, while {} has {}: pods' IPv{family} packets, from {}, reach no other node",
            device.name,
            other.name,
            text::counted(other.peers.unwrap_or_default(), "peer"),
            own.cidr,
        ))
    })
}

/// Whether the tunnel carries packets.
fn state(inventory: &Inventory, tunnel: &Tunnel) -> LinkState {
    let link = inventory.links.links.iter().find(|link| link.ifindex == tunnel.ifindex);
    link.map_or(if tunnel.up { LinkState::Up } else { LinkState::Down }, |link| link.state)
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
    let holes = match holes {
        0 => String::new(),
        1 => ", 1 missing table entry".to_owned(),
        _ => format!(", {holes} missing table entries"),
    };
    add("peers", vec![format!("{}{holes}", peers(inventory))]);
    add("pod interfaces", vec![inventory.pod_links.len().to_string()]);
    rows
}

/// How many other nodes are known. Where a data plane's peers are in no table of the kernel, there may be more.
fn peers(inventory: &Inventory) -> String {
    let nodes = inventory.remote_nodes();
    match (inventory.knows_all_peers(), nodes.at_least) {
        (true, _) => remote_nodes(nodes),
        (false, 0) => "unknown".to_owned(),
        (false, _) => format!("{} that the kernel's tables tell of", remote_nodes(nodes)),
    }
}

/// `2 (2 over IPv4, 1 over IPv6)`: a node of both families is one.
fn remote_nodes(nodes: RemoteNodes) -> String {
    let RemoteNodes { ipv4, ipv6, elsewhere, at_least } = nodes;
    let families =
        if ipv4 > 0 && ipv6 > 0 { format!(" ({ipv4} over IPv4, {ipv6} over IPv6)") } else { String::new() };
    let elsewhere =
        if elsewhere > 0 { format!(", {elsewhere} at an unknown address") } else { String::new() };
    format!("{at_least}{families}{elsewhere}")
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
        wrapped(out, "", &nothing(model));
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
            let standing = match (&device.stale, &device.bypassed) {
                (Some(_), _) => "probably stale",
                (None, Some(_)) => "bypassed",
                (None, None) if is_down(inventory, device.ifindex) => "down",
                (None, None) if device.unconfigured => "not configured",
                (None, None) if device.idle => "leads to no other node",
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
        if !plane.devices.is_empty() {
            indented(out, 2, &rows);
        }
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
            super::links::state(state(inventory, tunnel)).to_owned(),
        ]
    }));
    if rows.len() > 1 {
        aligned(out, &rows);
    }
    let mut rows = vec![heading(&["TUNNEL", "UNDERLAY ROUTE", "VIA", "PEERS"])];
    rows.extend(model.inventory.outer_routes.iter().map(|route| outer_route(inventory, route)));
    if rows.len() > 1 {
        out.push('\n');
        aligned(out, &rows);
    }
}

/// Why there is no data plane, as far as it is known.
fn nothing(model: &Model) -> String {
    let backend = model.setup.intent.as_ref().and_then(|intent| intent.backend.as_ref());
    match backend.map(|backend| &backend.value) {
        Some(Backend::HostGw) => {
            "No data plane leads to other nodes' pods. Without encapsulation there would be routes to them by way of the \
             nodes; on the only node of a cluster there are none."
        }
        _ => "No data plane leads to other nodes' pods.",
    }
    .to_owned()
}

fn outer_route(inventory: &Inventory, route: &OuterRoute) -> Vec<String> {
    let tunnel = inventory.tunnel(route.tunnel);
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
    let stale = if plane.is_stale() { ", probably stale" } else { "" };
    let system = if plane.system == System::Unknown {
        "Overlay of unknown origin".to_owned()
    } else {
        plane.system.to_string()
    };
    format!("{system}, {}{certainty}{stale}", plane.encapsulation)
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
    use crate::facts::netlink::{Facts, LinkFact};
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

    /// What stands beside each other agrees, where there are no peers or none that are known.
    #[test]
    fn nodes_without_peers() {
        let alone = table(&seen(&calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32")));
        assert!(alone.contains("peers          0\n"), "{alone}");
        assert!(alone.contains("flannel.1 -       0     0      leads to no other node\n"), "{alone}");
        assert!(!alone.contains('!') && !alone.contains("stale"), "nothing is wrong: {alone}");
        let cilium = table(&seen(&cilium_host(node(), 20)));
        assert!(cilium.contains("peers          unknown\n"), "{cilium}");

        let tun = |carrier| LinkFact {
            kind: Some("tun".to_owned()),
            hardware_type: libc::ARPHRD_NONE,
            carrier: Some(carrier),
            ..ethernet(9, "flannel0")
        };
        for (carrier, state) in [(true, "up"), (false, "no carrier")] {
            let mut udp = bridged_pod(node(), 20, "10.42.0.1/24");
            udp.links.push(tun(carrier));
            udp.addresses.push(address(9, "10.42.0.0/16"));
            let text = table(&seen(&udp));
            assert!(text.contains("flannel, UDP in user space (certain)"), "{text}");
            assert!(text.contains(&format!("flannel0 udp  -     eth0     1500 {state}\n")), "{text}");
            assert_eq!(text.contains("flanneld, which wraps its"), !carrier, "{text}");
        }

        // Two families, and one of them has peers.
        let mut one_sided = flannel6(own_block(flannel4(node(), 2)), 0);
        one_sided.addresses.push(address(FLANNEL6, "fd42::/128"));
        one_sided.routes.push(blackhole("fd42::/64"));
        let text = table(&seen(&one_sided)).replace("\n  ", " ");
        let words = "! flannel-v6.1 leads to no other node, while flannel.1 has 2 peers: pods' IPv6 packets, from fd42::/64, \
            reach no other node\n";
        assert!(text.ends_with(words), "{text}");
        // Pods without such addresses miss nothing.
        one_sided.routes.retain(|route| route.destination != net("fd42::/64"));
        assert!(!table(&seen(&one_sided)).contains('!'));
    }

    /// A device that is set down is not shown as one that carries.
    #[test]
    fn a_device_that_is_down() {
        let mut facts = flannel4(node(), 2);
        facts.routes.retain(|route| route.ifindex != Some(FLANNEL));
        facts.links[2].up = false;
        let model = seen(&facts);
        let text = table(&model).replace("\n  ", " ");
        assert!(text.contains("flannel.1 -       2     0      down\n"), "{text}");
        assert!(
            text.contains("! flannel.1 is down: it carries nothing, and the kernel has removed its routes"),
            "{text}"
        );
        let mtu = crate::report::mtu::table(&model);
        assert!(mtu.starts_with("flannel.1: VXLAN over IPv4, is down\n"), "{mtu}");
    }
}
