//! `show peers --format json`.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::Serialize;

use super::{Metrics, words};
use crate::{
    model::{Handshake, Hole, Mac, WireguardPeer, WireguardRow, fields},
    report::peers::PeerRow,
};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Document<'a> {
    schema_version: u32,
    peers: Vec<Peer<'a>>,
    holes: Vec<Missing>,
    notes: &'a [String],
}

/// A remote node on one device.
#[derive(Serialize)]
struct Peer<'a> {
    tunnel: &'a str,
    ifindex: u32,
    encapsulation: &'static str,
    key: Option<&'a str>,
    node: Option<IpAddr>,
    node_name: Option<&'a str>,
    node_address: Option<IpAddr>,
    pod_cidrs: &'a [IpNet],
    last_tx_age_s: Option<u64>,
    wireguard: Option<Wireguard<'a>>,
}

/// What only a WireGuard peer has, here and in `watch`.
#[derive(Serialize)]
pub(in crate::report) struct Wireguard<'a> {
    endpoint: Option<SocketAddr>,
    keepalive_s: Option<u16>,
    /// "never" or "done"; null when the kernel did not tell.
    handshake: Option<&'static str>,
    #[serde(flatten)]
    told: Metrics<'a, WireguardRow>,
}

/// An entry without its counterpart.
#[derive(Default, Serialize)]
struct Missing {
    kind: &'static str,
    tunnel: String,
    ifindex: u32,
    pod_cidr: Option<IpNet>,
    gateway: Option<IpAddr>,
    mac: Option<Mac>,
    node_address: Option<IpAddr>,
}

impl<'a> Document<'a> {
    /// These peers, and entries without their counterparts with the names of their devices.
    pub(in crate::report) fn new(
        peers: &'a [PeerRow],
        holes: impl Iterator<Item = (&'a Hole, String)>,
        notes: &'a [String],
    ) -> Self {
        Self {
            schema_version: 1,
            peers: peers.iter().map(Peer::from).collect(),
            holes: holes.map(|(hole, tunnel)| missing(hole, tunnel)).collect(),
            notes,
        }
    }
}

impl<'a> From<&'a PeerRow> for Peer<'a> {
    fn from(row: &'a PeerRow) -> Self {
        Self {
            tunnel: &row.tunnel,
            ifindex: row.ifindex,
            encapsulation: words::encapsulation(row.encapsulation),
            key: row.key.as_deref(),
            node: row.node,
            node_name: row.node_name.as_deref(),
            node_address: row.node_address,
            pod_cidrs: &row.pod_cidrs,
            last_tx_age_s: row.last_tx_age_s,
            wireguard: row.wireguard.as_ref().map(|(peer, told)| Wireguard::new(*peer, told.as_ref())),
        }
    }
}

impl<'a> Wireguard<'a> {
    /// Of a peer, and what WireGuard itself tells of it.
    pub(in crate::report) fn new(peer: WireguardPeer, told: Option<&'a WireguardRow>) -> Self {
        let WireguardPeer { endpoint, keepalive_s } = peer;
        let handshake = told.map(|told| match told.handshake {
            Handshake::Never => "never",
            Handshake::Ago(_) => "done",
        });
        Self { endpoint, keepalive_s, handshake, told: Metrics::new(&fields::WIREGUARD, told) }
    }
}

fn missing(hole: &Hole, tunnel: String) -> Missing {
    let row = Missing { tunnel, ifindex: hole.tunnel(), ..Missing::default() };
    match *hole {
        Hole::RouteWithoutNeighbour { pod_cidr, gateway, .. } => Missing {
            kind: "route-without-neighbour",
            pod_cidr: Some(pod_cidr),
            gateway: Some(gateway),
            ..row
        },
        Hole::NeighbourWithoutFdb { neighbour, mac, .. } => {
            Missing { kind: "neighbour-without-fdb", gateway: Some(neighbour), mac: Some(mac), ..row }
        }
        Hole::FdbWithoutRoute { mac, node_address, .. } => {
            Missing { kind: "fdb-without-route", mac: Some(mac), node_address, ..row }
        }
    }
}
