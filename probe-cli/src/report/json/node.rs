//! `show node --format json`.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::Serialize;

use super::{
    Intended,
    intended::{Row, Source},
    plane::Plane,
    words,
};
use crate::model::{
    Chart, DefaultRoute, Inventory, Mac, Model, NodeAddress, OuterRoute, OwnPodCidr, Tunnel, Underlay,
};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Node<'a> {
    schema_version: u32,
    hostname: Option<&'a str>,
    kernel: Option<&'a str>,
    actual: Actual<'a>,
    intended: Option<Intended<'a>>,
    side_by_side: Vec<Row<'a>>,
    charts: Vec<Manifest<'a>>,
    has_wireguard: Option<bool>,
    notes: &'a [String],
}

/// What the kernel has.
#[derive(Serialize)]
struct Actual<'a> {
    data_planes: Vec<Plane<'a>>,
    pod_cidrs: Vec<PodCidr>,
    addresses: Vec<Address<'a>>,
    default_routes: Vec<Default<'a>>,
    tunnels: Vec<TunnelRow<'a>>,
    peers: usize,
    peers_ipv4: usize,
    peers_ipv6: usize,
    holes: usize,
    pod_interfaces: usize,
}

#[derive(Serialize)]
struct PodCidr {
    cidr: IpNet,
    source: &'static str,
}

#[derive(Serialize)]
struct Address<'a> {
    interface: &'a str,
    address: IpNet,
}

/// A default route.
#[derive(Serialize)]
struct Default<'a> {
    family: u8,
    gateway: Option<IpAddr>,
    interface: Option<&'a str>,
    metric: u32,
}

#[derive(Serialize)]
struct TunnelRow<'a> {
    name: &'a str,
    ifindex: u32,
    kind: &'static str,
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

/// A `HelmChart` or a `HelmChartConfig`.
#[derive(Serialize)]
struct Manifest<'a> {
    kind: &'static str,
    api_version: Option<Source<'a>>,
    name: Source<'a>,
    namespace: Option<Source<'a>>,
    chart: Option<Source<'a>>,
    values: BTreeMap<&'a str, Vec<Source<'a>>>,
}

impl<'a> From<&'a Model> for Node<'a> {
    fn from(model: &'a Model) -> Self {
        let node = &model.inventory.node;
        Self {
            schema_version: 2,
            hostname: node.hostname.as_deref(),
            kernel: node.kernel.as_deref(),
            actual: actual(model),
            intended: model.setup.intent.as_ref().map(Intended::from),
            side_by_side: model.setup.comparison.iter().map(Row::from).collect(),
            charts: model.setup.charts.iter().map(Manifest::from).collect(),
            has_wireguard: node.has_wireguard,
            notes: &model.inventory.notes,
        }
    }
}

fn actual(model: &Model) -> Actual<'_> {
    let inventory: &Inventory = &model.inventory;
    let node = &inventory.node;
    let remote = inventory.remote_nodes();
    let pod_cidr = |OwnPodCidr { cidr, source }: &OwnPodCidr| PodCidr {
        cidr: *cidr,
        source: words::pod_cidr_source(*source),
    };
    Actual {
        data_planes: inventory.data_planes.iter().map(Plane::from).collect(),
        pod_cidrs: node.pod_cidrs.iter().map(pod_cidr).collect(),
        addresses: node.addresses.iter().map(Address::from).collect(),
        default_routes: node.default_routes.iter().map(Default::from).collect(),
        tunnels: inventory.all_tunnels().map(|tunnel| tunnel_row(inventory, tunnel)).collect(),
        peers: remote.at_least,
        peers_ipv4: remote.ipv4,
        peers_ipv6: remote.ipv6,
        holes: inventory.holes.len(),
        pod_interfaces: inventory.pod_links.len(),
    }
}

impl<'a> From<&'a NodeAddress> for Address<'a> {
    fn from(own: &'a NodeAddress) -> Self {
        let NodeAddress { interface, address } = own;
        Self { interface, address: *address }
    }
}

impl<'a> From<&'a DefaultRoute> for Default<'a> {
    fn from(route: &'a DefaultRoute) -> Self {
        let DefaultRoute { family, gateway, interface, metric } = route;
        Self { family: *family, gateway: *gateway, interface: interface.as_deref(), metric: *metric }
    }
}

fn tunnel_row<'a>(inventory: &'a Inventory, tunnel: &'a Tunnel) -> TunnelRow<'a> {
    let routes = inventory.outer_routes.iter().filter(|route| route.tunnel == tunnel.ifindex);
    TunnelRow {
        name: &tunnel.name,
        ifindex: tunnel.ifindex,
        kind: words::tunnel_kind(tunnel.kind),
        vni: tunnel.vni,
        external: tunnel.external,
        port: tunnel.port,
        local: tunnel.local,
        outer_family: tunnel.outer_family,
        underlay: tunnel.underlay.as_ref().map(UnderlayRow::from),
        more_underlays: tunnel.more_underlays.iter().map(UnderlayRow::from).collect(),
        mtu: tunnel.mtu,
        mac: tunnel.mac,
        public_key: tunnel.public_key.map(|key| key.to_string()),
        addresses: &tunnel.addresses,
        up: tunnel.up,
        peers: peers_of(inventory, tunnel),
        outer_routes: routes.map(RouteRow::from).collect(),
    }
}

/// Remote nodes that the tunnel knows, where that is known.
fn peers_of(inventory: &Inventory, tunnel: &Tunnel) -> Option<usize> {
    let mut devices = inventory.data_planes.iter().flat_map(|plane| &plane.devices);
    devices.find(|device| device.ifindex == tunnel.ifindex)?.peers
}

impl<'a> From<&'a OuterRoute> for RouteRow<'a> {
    fn from(route: &'a OuterRoute) -> Self {
        let OuterRoute { tunnel: _, destination, gateway, interface, mtu, peers } = route;
        Self {
            destination: *destination,
            gateway: *gateway,
            interface: interface.as_deref(),
            mtu: *mtu,
            peers: *peers,
        }
    }
}

impl<'a> From<&'a Underlay> for UnderlayRow<'a> {
    fn from(underlay: &'a Underlay) -> Self {
        Self { name: &underlay.name, ifindex: underlay.ifindex, mtu: underlay.mtu }
    }
}

impl<'a> From<&'a Chart> for Manifest<'a> {
    fn from(manifest: &'a Chart) -> Self {
        let Chart { kind, api_version, name, namespace, chart, values } = manifest;
        let values = values.iter().map(|(path, all)| (path.as_str(), all.iter().map(Source::from).collect()));
        Self {
            kind: words::chart_kind(*kind),
            api_version: api_version.as_ref().map(Source::from),
            name: name.into(),
            namespace: namespace.as_ref().map(Source::from),
            chart: chart.as_ref().map(Source::from),
            values: values.collect(),
        }
    }
}
