//! One JSON object for an interval: the contract of `watch --format jsonl`. Fields are only added.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::json::{self, Counters, Metric, Wireguard, words};
use crate::{
    model::{self, Counts, Edge, Flow, Model, OuterFlow, PerDirection, fields},
    text,
};

/// Version of the document; grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// The document as one line without its line end.
pub fn line(model: &Model) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Document::from(model)).map(|json| text::escape_json(&json))
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    /// RFC 3339, UTC.
    time: String,
    interval_s: Option<f64>,
    /// When counting began, RFC 3339, UTC.
    since: String,
    tunnels: Vec<Tunnel>,
    peers: Vec<Peer>,
    pods: Vec<Pod<'a>>,
    vfs: Vec<Vf<'a>>,
    pmtu_events: Vec<PmtuEvent>,
    #[serde(rename = "self")]
    observer: Observer,
    notes: Vec<String>,
}

/// The metrics of one direction, by their names.
struct Direction(Flow);

impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(metrics(&fields::FLOW, &self.0))
    }
}

/// Names and values; null for what is not known.
fn metrics<'a, T>(
    fields: &'a [fields::Field<T>],
    of: &'a T,
) -> impl Iterator<Item = (&'static str, Option<Metric>)> {
    fields.iter().map(|field| (field.name, (field.of)(of).map(Metric::from)))
}

/// As `show vfs` has it, with rates, and with what only eBPF tells.
#[derive(Serialize)]
struct Vf<'a> {
    #[serde(flatten)]
    function: json::Vf<'a>,
    tx: Option<VfDirection>,
    rx: Option<VfDirection>,
    wire: Option<VfWire>,
}

#[derive(Serialize)]
struct VfWire {
    tx: VfWireDirection,
    rx: VfWireDirection,
    sizes: Vec<Size>,
    sizes_since: Option<String>,
}

/// Totals since programs were put on the VF.
#[derive(Serialize)]
struct VfWireDirection {
    skbs: u64,
    packets: u64,
    /// Of the frames.
    bytes: u64,
    oversize: u64,
    fragments: u64,
    #[serde(flatten)]
    kinds: Kinds,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the document's own names")]
struct VfDirection {
    packets_per_s: f64,
    bits_per_s: f64,
    drops_per_s: f64,
}

/// As `show pods` has it, with counters and rates.
#[derive(Serialize)]
struct Interface<'a> {
    #[serde(flatten)]
    described: json::Interface<'a>,
    counters: Option<Counters>,
    tx: Option<VfDirection>,
    rx: Option<VfDirection>,
}

/// The metrics of outer packets, by their names.
struct OuterMetrics(OuterFlow);

impl Serialize for OuterMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(metrics(&fields::OUTER, &self.0))
    }
}

/// Outer packets as the underlay device carried them; fragments count one by one.
#[derive(Serialize)]
struct Outer {
    #[serde(flatten)]
    metrics: OuterMetrics,
    keepalives: OuterPart,
    handshakes: OuterPart,
}

/// Outer packets of one kind.
#[derive(Serialize)]
struct OuterPart {
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Tunnel {
    name: String,
    ifindex: u32,
    kind: &'static str,
    vni: Option<u32>,
    port: Option<u16>,
    underlay: Option<Underlay>,
    /// Further devices below a WireGuard tunnel whose peers are routed by several.
    more_underlays: Vec<Underlay>,
    public_key: Option<String>,
    mtu: u32,
    /// Largest inner packet that is carried in one piece.
    budget: u32,
    state: &'static str,
    tx: TunnelDirection,
    rx: TunnelDirection,
    overhead_ratio: Option<f64>,
    interval_overhead_ratio: Option<f64>,
    sizes: Vec<Size>,
    /// RFC 3339, UTC; null: since counting began.
    sizes_since: Option<String>,
}

#[derive(Serialize)]
struct TunnelDirection {
    #[serde(flatten)]
    flow: Direction,
    #[serde(flatten)]
    kinds: Kinds,
    unsent: u64,
    underlay: Option<Outer>,
}

#[derive(Serialize)]
struct Kinds {
    ipv4: u64,
    ipv6: u64,
    not_ip: u64,
    tcp: u64,
    udp: u64,
    other_protocol: u64,
}

#[derive(Serialize)]
struct Underlay {
    name: String,
    ifindex: u32,
    mtu: u32,
    address: Option<IpAddr>,
}

#[derive(Serialize)]
struct Size {
    from: u32,
    to: Option<u32>,
    edge: &'static str,
    tx: u64,
    rx: u64,
}

#[derive(Serialize)]
struct Peer {
    tunnel: String,
    /// "other" for what no peer's counters hold, "gone" for what peers carried that are gone.
    key: String,
    other: bool,
    gone: u64,
    state: &'static str,
    node_address: Option<IpAddr>,
    node_name: Option<String>,
    pod_cidrs: Vec<IpNet>,
    wireguard: Option<Wireguard>,
    tx: PeerDirection,
    rx: PeerDirection,
    overhead_ratio: Option<f64>,
    interval_overhead_ratio: Option<f64>,
}

#[derive(Serialize)]
struct PeerDirection {
    #[serde(flatten)]
    flow: Direction,
    underlay: Option<Outer>,
}

#[derive(Serialize)]
struct Pod<'a> {
    namespace: Option<String>,
    /// "other" with `other` set for what no pod's counters hold, "gone" for what pods carried that are gone.
    name: Option<String>,
    other: bool,
    gone: u64,
    state: &'static str,
    addresses: Vec<IpAddr>,
    uid: Option<String>,
    source: Option<&'static str>,
    host_network: Option<bool>,
    interface: Option<String>,
    interface_evidence: Option<&'static str>,
    interfaces: Vec<Interface<'a>>,
    tx: Direction,
    rx: Direction,
    overhead_ratio: Option<f64>,
    interval_overhead_ratio: Option<f64>,
}

#[derive(Serialize)]
struct PmtuEvent {
    tunnel: String,
    age_s: f64,
    reporter: IpAddr,
    destination: IpAddr,
    mtu: Option<u32>,
}

#[derive(Serialize)]
struct Observer {
    programs: Vec<Program>,
    cpu_percent: Option<f64>,
    kernel_percent: Option<f64>,
    ns_per_packet: Option<f64>,
    rss_bytes: Option<u64>,
    map_bytes: u64,
    events_lost: u64,
    unknown_fragments: u64,
    pods_without_slot: u64,
    peers_without_slot: u64,
}

#[derive(Serialize)]
struct Program {
    name: String,
    runs: u64,
    runs_per_s: Option<f64>,
    ns_per_run: Option<f64>,
}

impl<'a> From<&'a Model> for Document<'a> {
    fn from(model: &'a Model) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            time: rfc3339(model.time),
            interval_s: model.interval.map(|interval| interval.as_secs_f64()),
            since: rfc3339(model.since),
            tunnels: model.tunnels.iter().map(tunnel).collect(),
            peers: model.peers.iter().map(peer).collect(),
            pods: model.pods.iter().map(pod).collect(),
            vfs: model.vfs.iter().map(vf).collect(),
            pmtu_events: model
                .pmtu_events
                .iter()
                .map(|event| PmtuEvent {
                    tunnel: event.tunnel_name.clone(),
                    age_s: event.age.as_secs_f64(),
                    reporter: event.reporter,
                    destination: event.destination,
                    mtu: event.mtu,
                })
                .collect(),
            observer: observer(&model.observer),
            notes: model.notes.clone(),
        }
    }
}

fn link_direction(rates: model::VfRates) -> VfDirection {
    VfDirection {
        packets_per_s: rates.packets_per_s,
        bits_per_s: rates.bits_per_s,
        drops_per_s: rates.drops_per_s,
    }
}

fn interface(row: &model::InterfaceRow) -> Interface<'_> {
    Interface {
        described: (&row.interface).into(),
        counters: row.counters.map(Counters::from),
        tx: row.rate.map(|rate| link_direction(rate.tx)),
        rx: row.rate.map(|rate| link_direction(rate.rx)),
    }
}

fn vf(row: &model::VfRow) -> Vf<'_> {
    let counted = |counts: Counts, of: &model::Kinds| VfWireDirection {
        skbs: counts.skbs,
        packets: counts.packets,
        bytes: counts.outer_bytes,
        oversize: counts.oversize,
        fragments: counts.fragments,
        kinds: kinds(of),
    };
    Vf {
        function: row.into(),
        tx: row.rate.map(|rate| link_direction(rate.tx)),
        rx: row.rate.map(|rate| link_direction(rate.rx)),
        wire: row.wire.as_ref().map(|wire| VfWire {
            tx: counted(wire.counts.tx, &wire.kinds.tx),
            rx: counted(wire.counts.rx, &wire.kinds.rx),
            sizes: wire.sizes.iter().map(size).collect(),
            sizes_since: wire.sizes_since.map(rfc3339),
        }),
    }
}

/// Outer over inner bytes of both directions together: of the totals, and of the interval.
fn ratios(flow: &PerDirection<Flow>) -> (Option<f64>, Option<f64>) {
    let together = model::together(flow);
    (together.overhead_ratio(), together.rate.and_then(|rate| rate.overhead_ratio()))
}

fn outer(outer: OuterFlow) -> Outer {
    let part = |part: model::OuterPart| OuterPart { packets: part.packets, bytes: part.bytes };
    Outer {
        metrics: OuterMetrics(outer),
        keepalives: part(outer.total.keepalives),
        handshakes: part(outer.total.handshakes),
    }
}

fn underlay(below: &model::Underlay, address: Option<IpAddr>) -> Underlay {
    Underlay { name: below.name.clone(), ifindex: below.ifindex, mtu: below.mtu, address }
}

fn tunnel(row: &model::TunnelRow) -> Tunnel {
    let direction = |flow: &Flow, of: &model::Kinds, measured: Option<OuterFlow>| TunnelDirection {
        flow: Direction(*flow),
        kinds: kinds(of),
        unsent: of.unsent,
        underlay: measured.map(outer),
    };
    let (overhead_ratio, interval_overhead_ratio) = ratios(&row.flow);
    Tunnel {
        name: row.tunnel.name.clone(),
        ifindex: row.tunnel.ifindex,
        kind: words::tunnel_kind(row.tunnel.kind),
        vni: row.tunnel.vni,
        port: row.tunnel.port,
        underlay: row.tunnel.underlay.as_ref().map(|below| underlay(below, row.tunnel.local)),
        more_underlays: row.tunnel.more_underlays.iter().map(|below| underlay(below, None)).collect(),
        public_key: row.tunnel.public_key.map(|key| key.to_string()),
        mtu: row.tunnel.mtu,
        budget: row.room.budget,
        tx: direction(&row.flow.tx, &row.kinds.tx, row.outer.map(|outer| outer.tx)),
        rx: direction(&row.flow.rx, &row.kinds.rx, row.outer.map(|outer| outer.rx)),
        state: words::condition(row.condition),
        overhead_ratio,
        interval_overhead_ratio,
        sizes: row.sizes.iter().map(size).collect(),
        sizes_since: row.sizes_since.map(rfc3339),
    }
}

fn kinds(kinds: &model::Kinds) -> Kinds {
    Kinds {
        ipv4: kinds.ipv4,
        ipv6: kinds.ipv6,
        not_ip: kinds.not_ip,
        tcp: kinds.tcp,
        udp: kinds.udp,
        other_protocol: kinds.other_protocol,
    }
}

fn size(bucket: &model::SizeBucket) -> Size {
    Size {
        from: bucket.from,
        to: bucket.to,
        edge: match bucket.edge {
            Edge::Below => "below",
            Edge::At => "at",
            Edge::Over => "over",
        },
        tx: bucket.packets.tx,
        rx: bucket.packets.rx,
    }
}

fn peer(row: &model::PeerRow) -> Peer {
    let direction = |flow: &Flow, measured: Option<OuterFlow>| PeerDirection {
        flow: Direction(*flow),
        underlay: measured.map(outer),
    };
    let (overhead_ratio, interval_overhead_ratio) = ratios(&row.flow);
    Peer {
        tunnel: row.tunnel_name.clone(),
        key: row.peer.as_ref().map_or_else(|| sum(row.gone).to_owned(), |peer| peer.key.to_string()),
        other: row.peer.is_none(),
        gone: row.gone,
        state: words::condition(row.condition),
        node_address: row.peer.as_ref().and_then(|peer| peer.node_address),
        node_name: row.node_name.clone(),
        pod_cidrs: row.peer.as_ref().map(|peer| peer.pod_cidrs.clone()).unwrap_or_default(),
        wireguard: row.peer.as_ref().and_then(|peer| Some(Wireguard::new(peer.wireguard?, row.wireguard))),
        tx: direction(&row.flow.tx, row.outer.map(|outer| outer.tx)),
        rx: direction(&row.flow.rx, row.outer.map(|outer| outer.rx)),
        overhead_ratio,
        interval_overhead_ratio,
    }
}

/// The name of a row that sums up what has none of its own.
fn sum(gone: u64) -> &'static str {
    if gone > 0 { "gone" } else { "other" }
}

fn pod(row: &model::PodRow) -> Pod<'_> {
    let pod = row.pod.as_ref();
    let (overhead_ratio, interval_overhead_ratio) = ratios(&row.flow);
    Pod {
        uid: pod.and_then(|pod| pod.uid.clone()),
        source: pod.map(|pod| words::pod_source(pod.source)),
        host_network: pod.map(|pod| pod.host_network),
        interface_evidence: pod.and_then(|pod| pod.host_evidence).map(words::evidence),
        interfaces: row.interfaces.iter().map(interface).collect(),
        namespace: pod.and_then(|pod| pod.namespace.clone()),
        name: pod.map_or_else(|| Some(sum(row.gone).to_owned()), |pod| pod.name.clone()),
        other: pod.is_none(),
        gone: row.gone,
        state: words::condition(row.condition),
        addresses: pod.map(|pod| pod.addresses.clone()).unwrap_or_default(),
        interface: pod.and_then(|pod| pod.host_ifname.clone()),
        tx: Direction(row.flow.tx),
        rx: Direction(row.flow.rx),
        overhead_ratio,
        interval_overhead_ratio,
    }
}

fn observer(row: &model::ObserverRow) -> Observer {
    Observer {
        programs: row
            .programs
            .iter()
            .map(|program| Program {
                name: program.name.clone(),
                runs: program.runs,
                runs_per_s: program.runs_per_s,
                ns_per_run: program.ns_per_run,
            })
            .collect(),
        cpu_percent: row.cpu_percent,
        kernel_percent: row.kernel_percent,
        ns_per_packet: row.ns_per_packet,
        rss_bytes: row.rss_bytes,
        map_bytes: row.map_bytes,
        events_lost: row.events_lost,
        unknown_fragments: row.unknown_fragments,
        pods_without_slot: row.pods_without_slot,
        peers_without_slot: row.peers_without_slot,
    }
}

fn rfc3339(since_epoch: Duration) -> String {
    i128::try_from(since_epoch.as_nanos())
        .ok()
        .and_then(|nanoseconds| OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testdata;

    #[test]
    fn the_document_of_a_node() {
        let line = line(&testdata::troubled()).unwrap();
        assert!(!line.contains('\n') && !line.contains('\u{1b}'), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn a_wireguard_peer() {
        let value: serde_json::Value = serde_json::from_str(&line(&testdata::wireguard()).unwrap()).unwrap();
        let peers = value["peers"].as_array().unwrap();
        let of =
            |key: &str| peers.iter().find(|peer| peer["key"].as_str().unwrap().starts_with(key)).unwrap();
        let (far, silent, other) = (of("AgIC"), of("AwMD"), of("other"));
        insta::assert_snapshot!(serde_json::to_string_pretty(far).unwrap());
        assert_eq!(silent["wireguard"]["handshake"], "never");
        assert!(
            silent["wireguard"]["endpoint"].is_null() && silent["wireguard"]["handshake_age_s"].is_null()
        );
        assert!(other["wireguard"].is_null());
    }

    #[test]
    fn a_vf_that_ebpf_counts() {
        let value: serde_json::Value =
            serde_json::from_str(&line(&testdata::vfs_by_ebpf()).unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value["vfs"][0]).unwrap());
        assert!(value["vfs"][1]["wire"].is_null());
    }

    #[test]
    fn what_is_unknown_is_null() {
        let model = Model::default();
        let value: serde_json::Value = serde_json::from_str(&line(&model).unwrap()).unwrap();
        assert!(value["interval_s"].is_null());
        assert!(value["self"]["cpu_percent"].is_null());
        assert_eq!(value["schema_version"], SCHEMA_VERSION);
    }

    #[test]
    fn the_documentation_names_every_field() {
        fn names(value: &serde_json::Value, into: &mut std::collections::BTreeSet<String>) {
            match value {
                serde_json::Value::Object(fields) => {
                    for (name, value) in fields {
                        into.insert(name.clone());
                        names(value, into);
                    }
                }
                serde_json::Value::Array(entries) => entries.iter().for_each(|entry| names(entry, into)),
                _ => {}
            }
        }
        let mut found = std::collections::BTreeSet::new();
        for model in [testdata::troubled(), testdata::wireguard(), testdata::vfs(), testdata::vfs_by_ebpf()] {
            names(&serde_json::from_str(&line(&model).unwrap()).unwrap(), &mut found);
        }
        let words = include_str!("../../../docs/json.md");
        for name in found {
            assert!(words.contains(&format!("`{name}`")), "docs/json.md does not name {name}");
        }
    }
}
