//! One JSON object for an interval: the contract of `watch --format jsonl`. Fields are only added.

mod cores;
mod drops;
mod events;
mod explained;
mod hooks;
mod probes;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use self::{cores::Core, drops::Drop, events::Event, explained::Explained, hooks::Hooked, probes::Probes};
use super::{
    json::{self, Metrics, Wireguard, words},
    rfc3339,
};
use crate::model::{
    self, Counts, Edge, Flow, Kinds, LinkCounters, Model, ModelEvent, ObserverRow, OuterFlow, OuterPart,
    PeerKey, PerDirection, ProgramRow, Syns, VfRates, fields,
};

/// Version of the document; grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// The document, whose entries of pods and peers are made while it is written: with thousands of peers it has a megabyte.
/// And what happened in its interval.
pub fn document<'a>(model: &'a Model, events: &'a [ModelEvent]) -> impl Serialize + 'a {
    Document { events: events.iter().map(Event::from).collect(), ..Document::from(model) }
}

/// As it is printed, without the line end.
#[cfg(test)]
fn line(model: &Model) -> Result<String, serde_json::Error> {
    Ok(crate::text::escape_json(serde_json::to_string(&document(model, &[]))?))
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    /// RFC 3339, UTC.
    time: String,
    interval_s: Option<f64>,
    /// When counting began, RFC 3339, UTC.
    since: String,
    tunnels: Vec<Tunnel<'a>>,
    peers: Peers<'a>,
    pods: Pods<'a>,
    vfs: Vec<Vf<'a>>,
    /// Null when they are not counted.
    direct: Option<Direct<'a>>,
    pmtu_events: Vec<PmtuEvent>,
    events: Vec<Event<'a>>,
    /// Null when nobody asks, and when it cannot be had.
    drops: Option<Vec<Drop<'a>>>,
    /// Null while nobody asks.
    explained: Option<Explained<'a>>,
    #[serde(rename = "self")]
    observer: Observer<'a>,
    notes: Vec<String>,
}

/// Entries of thousands of peers are made one by one, while they are written.
struct Peers<'a>(&'a Model);

impl Serialize for Peers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.peers.iter().map(|row| peer(self.0, row)))
    }
}

/// Pods' entries, likewise.
struct Pods<'a>(&'a Model);

impl Serialize for Pods<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.pods.iter().map(pod))
    }
}

/// Packets of pods that are routed without a tunnel, as it is meant.
#[derive(Serialize)]
struct Direct<'a> {
    tx: Metrics<'a, OuterPart>,
    rx: Metrics<'a, OuterPart>,
}

/// As `show vfs` has it, with rates, and with what only eBPF tells.
#[derive(Serialize)]
struct Vf<'a> {
    #[serde(flatten)]
    function: json::Vf<'a>,
    tx: Option<Metrics<'a, VfRates>>,
    rx: Option<Metrics<'a, VfRates>>,
    wire: Option<VfWire<'a>>,
}

#[derive(Serialize)]
struct VfWire<'a> {
    tx: VfWireDirection<'a>,
    rx: VfWireDirection<'a>,
    sizes: Vec<Size>,
    sizes_since: Option<String>,
}

/// Totals since programs were put on the VF.
#[derive(Serialize)]
struct VfWireDirection<'a> {
    #[serde(flatten)]
    counts: Metrics<'a, Counts>,
    #[serde(flatten)]
    kinds: Metrics<'a, Kinds>,
}

/// As `show pods` has it, with counters and rates.
#[derive(Serialize)]
struct Interface<'a> {
    #[serde(flatten)]
    described: json::Interface<'a>,
    counters: Option<Metrics<'a, LinkCounters>>,
    tx: Option<Metrics<'a, VfRates>>,
    rx: Option<Metrics<'a, VfRates>>,
}

/// Outer packets as the underlay device carried them; fragments count one by one.
#[derive(Serialize)]
struct Outer<'a> {
    #[serde(flatten)]
    metrics: Metrics<'a, OuterFlow>,
    keepalives: Metrics<'a, OuterPart>,
    handshakes: Metrics<'a, OuterPart>,
}

#[derive(Serialize)]
struct Tunnel<'a> {
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
    tx: TunnelDirection<'a>,
    rx: TunnelDirection<'a>,
    #[serde(flatten)]
    together: Together,
    sizes: Vec<Size>,
    /// RFC 3339, UTC; null: since counting began.
    sizes_since: Option<String>,
    /// Null when they are not known.
    programs: Option<Vec<Hooked<'a>>>,
}

#[derive(Serialize)]
struct TunnelDirection<'a> {
    #[serde(flatten)]
    flow: Metrics<'a, Flow>,
    #[serde(flatten)]
    kinds: Metrics<'a, Kinds>,
    #[serde(flatten)]
    own: Metrics<'a, Kinds>,
    cores: Vec<Core<'a>>,
    /// Null when nothing was carried, and when that is not known.
    busiest_core: Option<Core<'a>>,
    underlay: Option<Outer<'a>>,
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
struct Peer<'a> {
    tunnel: &'a str,
    /// "other" for what no peer's counters hold, "gone" for what peers carried that are gone.
    key: Key,
    other: bool,
    gone: u64,
    state: &'static str,
    /// The same for all peers of one node: the first of its addresses.
    node: Option<IpAddr>,
    node_address: Option<IpAddr>,
    node_name: Option<&'a str>,
    pod_cidrs: &'a [IpNet],
    wireguard: Option<Wireguard<'a>>,
    /// Null while nobody asks.
    probes: Option<Vec<Probes<'a>>>,
    tx: PeerDirection<'a>,
    rx: PeerDirection<'a>,
    #[serde(flatten)]
    together: Together,
}

/// What names a peer, or a row that sums up some.
enum Key {
    Peer(PeerKey),
    Sum(&'static str),
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Peer(key) => serializer.collect_str(key),
            Self::Sum(name) => serializer.serialize_str(name),
        }
    }
}

#[derive(Serialize)]
struct PeerDirection<'a> {
    #[serde(flatten)]
    flow: Metrics<'a, Flow>,
    underlay: Option<Outer<'a>>,
}

#[derive(Serialize)]
struct Pod<'a> {
    namespace: Option<&'a str>,
    /// "other" with `other` set for what no pod's counters hold, "gone" for what pods carried that are gone.
    name: Option<&'a str>,
    other: bool,
    gone: u64,
    state: &'static str,
    addresses: &'a [IpAddr],
    uid: Option<&'a str>,
    source: Option<&'static str>,
    host_network: Option<bool>,
    interface: Option<&'a str>,
    interface_evidence: Option<&'static str>,
    interfaces: Vec<Interface<'a>>,
    tx: Metrics<'a, Flow>,
    rx: Metrics<'a, Flow>,
    #[serde(flatten)]
    together: Together,
    syns: PerDirection<Metrics<'a, Syns>>,
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
struct Observer<'a> {
    programs: Vec<Program<'a>>,
    #[serde(flatten)]
    whole: Metrics<'a, ObserverRow>,
}

#[derive(Serialize)]
struct Program<'a> {
    name: &'a str,
    #[serde(flatten)]
    cost: Metrics<'a, ProgramRow>,
}

/// Metrics of both directions together.
struct Together(Flow);

impl Serialize for Together {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Metrics::new(&fields::TOGETHER, &self.0).serialize(serializer)
    }
}

impl<'a> From<&'a Model> for Document<'a> {
    fn from(model: &'a Model) -> Self {
        Self {
            events: Vec::new(),
            schema_version: SCHEMA_VERSION,
            time: rfc3339(model.time),
            interval_s: model.interval.map(|interval| interval.as_secs_f64()),
            since: rfc3339(model.since),
            tunnels: model.tunnels.iter().map(|row| tunnel(model, row)).collect(),
            peers: Peers(model),
            pods: Pods(model),
            vfs: model.vfs.iter().map(vf).collect(),
            direct: model.direct.as_ref().map(|direct| Direct {
                tx: Metrics::new(&fields::PART, &direct.tx),
                rx: Metrics::new(&fields::PART, &direct.rx),
            }),
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
            drops: model.drops.value().map(|drops| drops.rows.iter().map(Drop::from).collect()),
            explained: model.explained.as_ref().map(explained::explained),
            observer: observer(&model.observer),
            notes: model.notes.clone(),
        }
    }
}

fn rates(
    rate: Option<&PerDirection<VfRates>>,
) -> (Option<Metrics<'_, VfRates>>, Option<Metrics<'_, VfRates>>) {
    rate.map(|rate| (Metrics::new(&fields::LINK, &rate.tx), Metrics::new(&fields::LINK, &rate.rx))).unzip()
}

fn interface(row: &model::InterfaceRow) -> Interface<'_> {
    let (tx, rx) = rates(row.rate.as_ref());
    Interface {
        described: (&row.interface).into(),
        counters: row.counters.as_ref().map(|counters| Metrics::new(&fields::COUNTERS, counters)),
        tx,
        rx,
    }
}

fn vf(row: &model::VfRow) -> Vf<'_> {
    let (tx, rx) = rates(row.rate.as_ref());
    Vf {
        function: row.into(),
        tx,
        rx,
        wire: row.wire.as_ref().map(|wire| VfWire {
            tx: wire_direction(&wire.counts.tx, &wire.kinds.tx),
            rx: wire_direction(&wire.counts.rx, &wire.kinds.rx),
            sizes: wire.sizes.iter().map(size).collect(),
            sizes_since: wire.sizes_since.map(rfc3339),
        }),
    }
}

fn wire_direction<'a>(counts: &'a Counts, kinds: &'a Kinds) -> VfWireDirection<'a> {
    VfWireDirection {
        counts: Metrics::new(&fields::WIRE, counts),
        kinds: Metrics::new(&fields::KINDS, kinds),
    }
}

fn outer(outer: &OuterFlow) -> Outer<'_> {
    Outer {
        metrics: Metrics::new(&fields::OUTER, outer),
        keepalives: Metrics::new(&fields::PART, &outer.total.keepalives),
        handshakes: Metrics::new(&fields::PART, &outer.total.handshakes),
    }
}

fn underlay(below: &model::Underlay, address: Option<IpAddr>) -> Underlay {
    Underlay { name: below.name.clone(), ifindex: below.ifindex, mtu: below.mtu, address }
}

fn tunnel_direction<'a>(
    flow: &'a Flow,
    kinds: &'a Kinds,
    cores: &'a [model::CoreRow],
    measured: Option<&'a OuterFlow>,
) -> TunnelDirection<'a> {
    TunnelDirection {
        flow: Metrics::new(&fields::FLOW, flow),
        kinds: Metrics::new(&fields::KINDS, kinds),
        own: Metrics::new(&fields::TUNNEL, kinds),
        cores: cores.iter().map(Core::from).collect(),
        busiest_core: cores::busiest(cores),
        underlay: measured.map(outer),
    }
}

fn tunnel<'a>(model: &'a Model, row: &'a model::TunnelRow) -> Tunnel<'a> {
    let measured = row.outer.as_ref();
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
        tx: tunnel_direction(&row.flow.tx, &row.kinds.tx, &row.cores.tx, measured.map(|outer| &outer.tx)),
        rx: tunnel_direction(&row.flow.rx, &row.kinds.rx, &row.cores.rx, measured.map(|outer| &outer.rx)),
        state: words::condition(row.condition),
        together: Together(model::together(&row.flow)),
        sizes: row.sizes.iter().map(size).collect(),
        sizes_since: row.sizes_since.map(rfc3339),
        programs: hooks::of(model, &row.tunnel),
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

fn peer_direction<'a>(flow: &'a Flow, measured: Option<&'a OuterFlow>) -> PeerDirection<'a> {
    PeerDirection { flow: Metrics::new(&fields::FLOW, flow), underlay: measured.map(outer) }
}

fn peer<'a>(model: &Model, row: &'a model::PeerRow) -> Peer<'a> {
    let measured = row.outer.as_ref();
    Peer {
        tunnel: &row.tunnel_name,
        key: row.peer.as_ref().map_or_else(|| Key::Sum(sum(row.gone)), |peer| Key::Peer(peer.key)),
        other: row.peer.is_none(),
        gone: row.gone,
        state: words::condition(row.condition),
        node: row.peer.as_ref().and_then(|peer| Some(model.node_of(peer.node_address?))),
        node_address: row.peer.as_ref().and_then(|peer| peer.node_address),
        node_name: row.node_name.as_deref(),
        pod_cidrs: row.peer.as_ref().map_or(&[], |peer| peer.pod_cidrs.as_slice()),
        wireguard: row
            .peer
            .as_ref()
            .and_then(|peer| Some(Wireguard::new(peer.wireguard?, row.wireguard.as_ref()))),
        probes: model.probing.value().map(|_| row.paths.iter().map(Probes::from).collect()),
        tx: peer_direction(&row.flow.tx, measured.map(|outer| &outer.tx)),
        rx: peer_direction(&row.flow.rx, measured.map(|outer| &outer.rx)),
        together: Together(model::together(&row.flow)),
    }
}

/// The name of a row that sums up what has none of its own.
fn sum(gone: u64) -> &'static str {
    if gone > 0 { "gone" } else { "other" }
}

fn pod(row: &model::PodRow) -> Pod<'_> {
    let pod = row.pod.as_ref();
    Pod {
        uid: pod.and_then(|pod| pod.uid.as_deref()),
        source: pod.map(|pod| words::pod_source(pod.source)),
        host_network: pod.map(|pod| pod.host_network),
        interface_evidence: pod.and_then(|pod| pod.host_evidence).map(words::evidence),
        interfaces: row.interfaces.iter().map(interface).collect(),
        namespace: pod.and_then(|pod| pod.namespace.as_deref()),
        name: pod.map_or_else(|| Some(sum(row.gone)), |pod| pod.name.as_deref()),
        other: pod.is_none(),
        gone: row.gone,
        state: words::condition(row.condition),
        addresses: pod.map_or(&[], |pod| pod.addresses.as_slice()),
        interface: pod.and_then(|pod| pod.host_ifname.as_deref()),
        tx: Metrics::new(&fields::FLOW, &row.flow.tx),
        rx: Metrics::new(&fields::FLOW, &row.flow.rx),
        together: Together(model::together(&row.flow)),
        syns: PerDirection {
            tx: Metrics::new(&fields::SYNS, &row.syns.tx),
            rx: Metrics::new(&fields::SYNS, &row.syns.rx),
        },
    }
}

fn observer(row: &ObserverRow) -> Observer<'_> {
    let programs = row
        .programs
        .iter()
        .map(|program| Program { name: &program.name, cost: Metrics::new(&fields::PROGRAM, program) });
    Observer { programs: programs.collect(), whole: Metrics::new(&fields::OBSERVER, row) }
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
    fn what_the_kernel_drops_when_somebody_asks() {
        let value: serde_json::Value =
            serde_json::from_str(&line(&model::drops::testdata::model()).unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value["drops"][0]).unwrap());
        assert_eq!(value["drops"].as_array().unwrap().len(), 4);
        let none =
            Model { drops: crate::observed::Observed::Value(model::Drops::default()), ..Model::default() };
        let value: serde_json::Value = serde_json::from_str(&line(&none).unwrap()).unwrap();
        assert_eq!(value["drops"], serde_json::json!([]));
    }

    #[test]
    fn what_is_sent_to_a_peer_when_somebody_asks() {
        let value: serde_json::Value =
            serde_json::from_str(&line(&model::peer_probes::testdata::model()).unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value["peers"][0]["probes"]).unwrap());
        assert_eq!(value["peers"][1]["probes"][0]["said_by"], "192.0.2.254");
        crate::report::documented(&value["peers"][0]["probes"], "# The JSON of `watch --format jsonl`");
    }

    #[test]
    fn what_is_unknown_is_null() {
        let model = Model::default();
        let value: serde_json::Value = serde_json::from_str(&line(&model).unwrap()).unwrap();
        assert!(value["drops"].is_null());
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
                serde_json::Value::Null
                | serde_json::Value::Bool(_)
                | serde_json::Value::Number(_)
                | serde_json::Value::String(_) => {}
            }
        }
        let mut found = std::collections::BTreeSet::new();
        let mut models =
            vec![testdata::troubled(), testdata::wireguard(), testdata::vfs(), testdata::vfs_by_ebpf()];
        models.extend([model::explained::testdata::model(), model::drops::testdata::model()]);
        for model in models {
            names(&serde_json::from_str(&line(&model).unwrap()).unwrap(), &mut found);
        }
        let words = include_str!("../../../docs/json.md");
        for name in found {
            assert!(words.contains(&format!("`{name}`")), "docs/json.md does not name {name}");
        }
    }
}
