//! Models for the tests of screens and reports: a node of a dual-stack cluster, with awkward names in it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use probe_common::sizes::{BUCKETS, EDGE};

use super::{Model, Setup, health::Memory, mtu::overhead, sizes::Bins};
use crate::{
    facts::netlink::{LinkCounters, VfLinkState, VfVlan},
    facts::{netlink::Facts, network::NetworkFacts, pods::PodFacts},
    inventory::{
        Disagreement, Disputed, Evidence, Inventory, Mac, PciInterface, Peer, PeerKey, Pod, PodInterface,
        PodKey, PodNetwork, PodNetworkOf, PodSource, PublicKey, Tunnel, TunnelKind, Underlay, VfPod,
        VfPodSource, VfSettings, VirtualFunction, WireguardPeer,
        testdata::{ethernet, snapshot},
    },
    observed::Observed,
    sample::{
        Counts, Frame, Kinds, Observer, OuterCounts, OuterPart, PeerSample, PerDirection, PmtuEvent,
        PodInterfaceSample, ProgramCost, Sample, Syns, TunnelSample, VfCounts, VfDriver, VfDrivers, VfSample,
        WireguardSample,
    },
};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn tunnel(name: &str, ifindex: u32, v6: bool) -> Tunnel {
    Tunnel {
        name: name.to_owned(),
        ifindex,
        kind: TunnelKind::Vxlan,
        vni: Some(1),
        port: Some(8472),
        local: Some(address(if v6 { "fd77::1" } else { "172.31.77.1" })),
        outer_family: Some(if v6 { 6 } else { 4 }),
        underlay: Some(Underlay { name: "eth0".to_owned(), ifindex: 2, mtu: 1500, l3: false }),
        mtu: if v6 { 1430 } else { 1450 },
        more_underlays: Vec::new(),
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        public_key: None,
        addresses: Vec::new(),
        external: false,
        l3: false,
        flood: 0,
        up: true,
        told: Observed::Value(()),
    }
}

fn peer(tunnel: u32, node: u8, v6: bool) -> Peer {
    let (address, cidr) = if v6 {
        (format!("fd77::{node}"), format!("fd00:42:{node}::/64"))
    } else {
        (format!("172.31.77.{node}"), format!("10.42.{node}.0/24"))
    };
    Peer {
        tunnel,
        key: PeerKey::Mac(Mac([2, 0, 0, 0, u8::from(v6), node])),
        node_address: Some(address.parse().unwrap()),
        pod_cidrs: vec![cidr.parse().unwrap()],
        last_tx_age_s: None,
        wireguard: None,
    }
}

fn pod(name: &str, number: u8) -> Pod {
    Pod {
        namespace: Some("shop".to_owned()),
        name: Some(name.to_owned()),
        addresses: vec![address(&format!("10.42.1.{number}")), address(&format!("fd00:42:1::{number}"))],
        host_ifindex: Some(10 + u32::from(number)),
        host_ifname: Some(format!("veth{number}")),
        host_evidence: Some(Evidence::LabRegistry),
        source: PodSource::Lab,
        ..Pod::default()
    }
}

/// What exists: two tunnels, four peers and `pods` pods, one with a hostile name.
pub(crate) fn inventory(pods: u8) -> Inventory {
    let mut list = vec![pod("cart-e45f23531-44001", 1), pod("evil\u{1b}[2Jname", 2)];
    list.extend((3..=pods).map(|number| pod(&format!("worker-{number:03}"), number)));
    list.truncate(usize::from(pods));
    Inventory {
        tunnels: vec![tunnel("flannel.1", 3, false), tunnel("flannel-v6.1", 4, true)],
        peers: [peer(3, 2, false), peer(3, 3, false), peer(4, 2, true), peer(4, 3, true)]
            .map(Arc::new)
            .to_vec(),
        pods: list.into_iter().map(Arc::new).collect(),
        ..Inventory::default()
    }
}

/// Where the first pod's interfaces are counted.
const NETNS: &str = "/var/run/netns/cni-5a2b8c9e-77d1-4c38-9d0f-2b1a6f3e4d5c";

/// Gives the first pod what a runtime and Multus tell: a UID, two secondary interfaces, one with a hostile name and no
/// counters, and a source that disagrees. Adds a pod that is on the node's own network.
pub(crate) fn add_networks(inventory: &mut Inventory) {
    let interface = |ifindex: u32, name: &str, kind: Option<&str>| PodInterface {
        name: name.to_owned(),
        ifindex,
        kind: kind.map(str::to_owned),
        mtu: 1500,
        up: true,
        ..PodInterface::default()
    };
    let interfaces = vec![
        PodInterface { mtu: 1450, is_default: true, ..interface(2, "eth0", Some("veth")) },
        PodInterface {
            parent: Some("eth0".to_owned()),
            mac: Some(Mac([2, 0, 0, 0, 0, 9])),
            addresses: vec!["192.0.2.9/24".parse().unwrap(), "2001:db8:2::9/64".parse().unwrap()],
            network: Some("shop/storage".to_owned()),
            ..interface(3, "net1", Some("macvlan"))
        },
        PodInterface {
            hardware: Some("0000:01:10.0".to_owned()),
            up: false,
            ..interface(4, "ev\u{1b}[2J\u{202e}il", None)
        },
    ];
    if let Some(pod) = inventory.pods.first_mut() {
        *pod = Arc::new(Pod {
            uid: Some("7c1d2f0e-93f5-4a6b-8f5d-1d0f6a2b3c4d".to_owned()),
            source: PodSource::Cri,
            host_evidence: Some(Evidence::PeerIndex),
            netns: Some(NETNS.to_owned()),
            interfaces,
            requested_networks: Some("storage, shop/ev\u{1b}il@net2".to_owned()),
            disagreements: vec![Disagreement {
                about: Disputed::Addresses,
                evidence: Evidence::LibcniResult,
                says: "10.42.1.9".to_owned(),
            }],
            ..Pod::clone(pod)
        });
    }
    inventory.pods.push(Arc::new(Pod {
        namespace: Some("kube-system".to_owned()),
        name: Some("kube-proxy-x2x4z".to_owned()),
        uid: Some("0b7a".to_owned()),
        source: PodSource::Cri,
        host_network: true,
        ..Pod::default()
    }));
}

/// Counters after `seconds` of the macvlan that [`add_networks`] gives the first pod.
pub(crate) fn add_pod_interfaces(sample: &mut Sample, seconds: u64) {
    let counters = LinkCounters {
        tx_packets: 100 * seconds,
        tx_bytes: 150_000 * seconds,
        rx_packets: 10 * seconds,
        rx_bytes: 660 * seconds,
        ..LinkCounters::default()
    };
    sample.pod_interfaces = vec![PodInterfaceSample { netns: NETNS.to_owned(), ifindex: 3, counters }];
}

fn counts(packets: u64, bytes: u64, overhead: u64) -> Counts {
    Counts {
        skbs: packets / 4,
        packets,
        inner_bytes: bytes,
        outer_bytes: bytes + packets * overhead,
        oversize: 0,
        fragments: 0,
    }
}

/// On six cores, the first with half of them.
fn spread(packets: u64) -> BTreeMap<u32, u64> {
    let first = [packets / 2, packets / 4, packets / 12, packets / 12, packets / 24];
    let rest = packets - first.iter().sum::<u64>();
    (0..).zip(first.into_iter().chain([rest])).collect()
}

/// On two, nearly all on the second.
fn on_one(packets: u64) -> BTreeMap<u32, u64> {
    let few = packets / 11;
    [(0, few), (1, packets - few)].into()
}

fn outer(counts: &Counts) -> OuterCounts {
    OuterCounts { packets: counts.packets, bytes: counts.outer_bytes, ..OuterCounts::default() }
}

/// Counters after `seconds`: rates that rise and fall over a minute.
pub(crate) fn sample(inventory: &Inventory, seconds: u64) -> Sample {
    let wave: u64 = (0..seconds).map(|second| 600 + 40 * (second % 20)).sum();
    let both = |scale: u64, overhead: u64| PerDirection {
        tx: counts(wave * scale, wave * scale * 1400, overhead),
        rx: counts(wave * scale / 3, wave * scale / 3 * 900, overhead),
    };
    let outers =
        |counts: &PerDirection<Counts>| Some(PerDirection { tx: outer(&counts.tx), rx: outer(&counts.rx) });
    let mut sample = Sample {
        time: Duration::from_secs(1_790_000_000 + seconds),
        monotonic: Duration::from_secs(seconds),
        vfs_at: Duration::from_secs(seconds),
        observer: Observer {
            programs: ["ovp_tunnel_tx", "ovp_tunnel_rx"]
                .map(|name| ProgramCost {
                    name: name.to_owned(),
                    runs: 1000 * seconds,
                    run_time_ns: 310_000 * seconds,
                    ..ProgramCost::default()
                })
                .to_vec(),
            timed: Duration::from_secs(seconds),
            cpu: Some(Duration::from_millis(4 * seconds)),
            rss_bytes: Some(12_900_000),
            map_bytes: 5_300_000,
            ..Observer::default()
        },
        ..Sample::default()
    };
    for tunnel in &inventory.tunnels {
        let overhead = u64::from(overhead(tunnel.kind, tunnel.outer_family));
        let counts = both(12 / (overhead / 25), overhead);
        let mut kinds = PerDirection { tx: Kinds::default(), rx: Kinds::default() };
        kinds.tx.sizes = vec![10 * seconds, 20, 30, 0, 0, 0, 5, 0, 0, 0, counts.tx.packets, 0];
        kinds.rx.sizes = vec![40 * seconds, 2, 3, 0, 0, 0, 5, 0, 0, 0, counts.rx.packets, 0];
        kinds.tx.ipv4 = counts.tx.packets;
        kinds.tx.tcp = counts.tx.packets;
        let cores = PerDirection { tx: spread(counts.tx.packets), rx: on_one(counts.rx.packets) };
        sample.tunnels.insert(tunnel.ifindex, TunnelSample { counts, kinds, cores, outer: outers(&counts) });
    }
    for (peer, scale) in inventory.peers.iter().zip([4, 2, 1, 1]) {
        let tunnel = inventory.tunnels.iter().find(|tunnel| tunnel.ifindex == peer.tunnel).unwrap();
        let counts = both(scale, u64::from(overhead(tunnel.kind, tunnel.outer_family)));
        sample.peers.insert((peer.tunnel, peer.key), PeerSample { counts, outer: outers(&counts) });
    }
    for (pod, scale) in inventory.pods.iter().zip((1..=9).rev().cycle()) {
        sample.pods.insert(PodKey::clone(&pod.key()), both(scale, 50));
    }
    sample.other_pods = both(1, 50);
    sample
}

/// The model of this inventory, which is of no snapshot: links are as it says.
pub(crate) fn build(inventory: &Inventory, now: &Sample, before: Option<&Sample>) -> Model {
    let setup = Arc::new(Setup { mtu: super::mtu_paths(inventory), ..Setup::default() });
    let mut model = super::build::build(
        &Arc::default(),
        &Arc::new(inventory.clone()),
        &setup,
        now,
        before,
        &mut Bins::default(),
    );
    // Counting began with the clock of samples.
    model.since = now.time.saturating_sub(now.monotonic);
    let facts = Facts { links: vec![ethernet(2, "eth0")], ..Facts::default() };
    super::health::judge(&mut model, &facts, &mut Memory::default());
    super::nodes::join_nodes(&mut model, &NetworkFacts::default(), &mut None);
    model
}

/// The model of what netlink said, once.
pub(crate) fn of_facts(facts: &Facts) -> Model {
    let snapshot = Arc::new(snapshot(facts, &PodFacts::default(), &[]));
    let frame = Frame { snapshot, sample: Sample::default() };
    Arc::unwrap_or_clone(super::once(frame))
}

/// A model with nothing but an inventory.
pub(crate) fn of_inventory(inventory: Inventory) -> Model {
    Model { inventory: Arc::new(inventory), ..Model::default() }
}

/// A model with rates.
pub(crate) fn model() -> Model {
    let inventory = inventory(2);
    build(&inventory, &sample(&inventory, 40), Some(&sample(&inventory, 39)))
}

/// The same node with trouble: a router that asks for less, packets too big, a note.
pub(crate) fn troubled() -> Model {
    let mut inventory = inventory(2);
    inventory.notes.push("flannel.1: no FDB entry leads to 02:00:00:00:00:09, a peer with routes".to_owned());
    let mut now = sample(&inventory, 61);
    now.pmtu_events.push(PmtuEvent {
        at: Duration::from_millis(60_500),
        tunnel: 3,
        reporter: address("192.0.2.1"),
        destination: address("172.31.77.2"),
        mtu: Some(1400),
        quoted_bytes: 1500,
    });
    now.observer.events_rate_limited = 3;
    if let Some((pod, _)) = now.pods.first_key_value() {
        let tx = Syns { segments: 12, over_budget: 3, largest_mss: 1460 };
        let rx = Syns { segments: 9, over_budget: 0, largest_mss: 1410 };
        now.pod_syns.insert(PodKey::clone(pod), PerDirection { tx, rx });
    }
    if let Some(tunnel) = now.tunnels.get_mut(&3) {
        tunnel.counts.tx.oversize = 42;
        if let Some(over) = tunnel.kinds.tx.sizes.last_mut() {
            *over = 42;
        }
        if let Some(outer) = &mut tunnel.outer {
            outer.tx.fragments = 84;
        }
    }
    build(&inventory, &now, Some(&sample(&inventory, 60)))
}

/// A node with flannel's WireGuard backend: a peer that talks, and one that never did and has no endpoint.
pub(crate) fn wireguard() -> Model {
    wireguard_with(|_, _| {})
}

/// The same, and packets of the first peer's pods are not encrypted: some that leave in each second, and some that have arrived.
pub(crate) fn in_clear() -> Model {
    wireguard_with(|sample, seconds| {
        let part = |packets: u64| OuterPart { packets, bytes: packets * 1420 };
        let leak = |outer: &mut Option<PerDirection<OuterCounts>>| {
            if let Some(outer) = outer {
                (outer.tx.in_clear, outer.rx.in_clear) = (part(12 * seconds), part(7));
            }
        };
        sample.tunnels.values_mut().for_each(|tunnel| leak(&mut tunnel.outer));
        sample.peers.values_mut().for_each(|peer| leak(&mut peer.outer));
    })
}

fn wireguard_with(change: impl Fn(&mut Sample, u64)) -> Model {
    let mut inventory = inventory(2);
    inventory.tunnels = vec![Tunnel {
        name: "flannel-wg".to_owned(),
        kind: TunnelKind::Wireguard,
        vni: None,
        port: Some(51820),
        mtu: 1420,
        mac: None,
        public_key: Some(PublicKey([1; 32])),
        l3: true,
        ..tunnel("", 3, false)
    }];
    let peer = |node: u8, endpoint: Option<&str>| Peer {
        key: PeerKey::PublicKey(PublicKey([node; 32])),
        node_address: endpoint.map(|endpoint| endpoint.parse::<std::net::SocketAddr>().unwrap().ip()),
        wireguard: Some(WireguardPeer {
            endpoint: endpoint.map(|endpoint| endpoint.parse().unwrap()),
            keepalive_s: endpoint.map(|_| 25),
        }),
        ..peer(3, node, false)
    };
    inventory.peers = [peer(2, Some("172.31.77.2:51820")), peer(3, None)].map(Arc::new).to_vec();
    let network = |peer: &Arc<Peer>| PodNetwork {
        network: peer.pod_cidrs[0],
        of: PodNetworkOf::Peer { tunnel: peer.tunnel, key: peer.key },
    };
    inventory.pod_networks = inventory.peers.iter().map(network).collect();
    let sample = |seconds: u64| {
        let mut sample = sample(&inventory, seconds);
        let key = |node: u8| (3, PeerKey::PublicKey(PublicKey([node; 32])));
        sample.peers.remove(&key(3));
        let part = |packets: u64, each: u64| OuterPart { packets, bytes: packets * each };
        for sample in sample.peers.values_mut() {
            for outer in sample.outer.iter_mut().flat_map(|outer| [&mut outer.tx, &mut outer.rx]) {
                outer.keepalives = part(seconds / 25, 60);
                outer.handshakes = part(1, 176);
            }
        }
        let told = WireguardSample {
            last_handshake: Some(sample.time.saturating_sub(Duration::from_secs(95))),
            bytes: PerDirection { tx: 90_000 * seconds, rx: 30_000 * seconds },
        };
        sample.wireguard = [(key(2), told), (key(3), WireguardSample::default())].into();
        change(&mut sample, seconds);
        sample
    };
    build(&inventory, &sample(40), Some(&sample(39)))
}

/// Two virtual functions: one in a pod, one of vfio-pci, which nobody counts.
fn two_vfs() -> Inventory {
    let pod = |name: &str| VfPod {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        network: Some("sriov-net".to_owned()),
        source: VfPodSource::SriovCni,
    };
    let first = VirtualFunction {
        pci_address: "0000:01:10.0".to_owned(),
        pf_pci_address: "0000:01:00.0".to_owned(),
        pf: Some("ens1f0".to_owned()),
        driver: Some("igbvf".to_owned()),
        interface: Some(PciInterface { name: "net1".to_owned(), mtu: 1500, ..PciInterface::default() }),
        pod: Some(pod("evil\u{1b}[2Jpod")),
        settings: Some(VfSettings { trust: Some(true), ..VfSettings::default() }),
        ..VirtualFunction::default()
    };
    let second = VirtualFunction {
        index: 1,
        pci_address: "0000:01:10.2".to_owned(),
        driver: Some("vfio-pci".to_owned()),
        interface: None,
        pod: Some(pod("dpdk-0")),
        ..first.clone()
    };
    Inventory { vfs: vec![first, second], ..Inventory::default() }
}

/// What their interfaces and their PF's driver counted.
fn sample_of_two_vfs(inventory: &Inventory, interface: LinkCounters, seconds: u64) -> Sample {
    let [first, second] = &inventory.vfs[..] else { panic!() };
    Sample {
        vfs: vec![interface_of(first, interface)],
        vf_drivers: VfDrivers {
            told: vec![driver_of(second, LinkCounters::default())],
            ..VfDrivers::default()
        },
        ..sample(&Inventory::default(), seconds)
    }
}

fn interface_of(vf: &VirtualFunction, counters: LinkCounters) -> VfSample {
    let interface = vf.interface.as_ref().unwrap();
    VfSample {
        pci: vf.pci_address.clone(),
        netns: interface.netns.clone(),
        ifindex: interface.ifindex,
        interface: Some(counters),
        programs: None,
    }
}

fn driver_of(vf: &VirtualFunction, counters: LinkCounters) -> VfDriver {
    VfDriver { pf: vf.pf_pci_address.clone(), pci: vf.pci_address.clone(), told: Some(counters), files: None }
}

/// A node with two virtual functions and no tunnel.
pub(crate) fn vfs() -> Model {
    let inventory = two_vfs();
    let sample = |seconds: u64| {
        let counters = LinkCounters {
            rx_packets: 900 * seconds,
            tx_packets: 300 * seconds,
            rx_bytes: 1_300_000 * seconds,
            tx_bytes: 20_000 * seconds,
            ..LinkCounters::default()
        };
        sample_of_two_vfs(&inventory, counters, seconds)
    };
    build(&inventory, &sample(40), Some(&sample(39)))
}

fn vf(pf: &str, index: u32, driver: Option<&str>) -> VirtualFunction {
    let bus = if pf == "ens1f0" { 1 } else { 0x81 };
    VirtualFunction {
        index,
        pci_address: format!("0000:{bus:02x}:{:02x}.{}", 16 + index * 2 / 8, index * 2 % 8),
        pf_pci_address: format!("0000:{bus:02x}:00.0"),
        pf: Some(pf.to_owned()),
        pf_driver: Some("ice".to_owned()),
        driver: driver.map(str::to_owned),
        iommu_group: Some(20 + index),
        ..VirtualFunction::default()
    }
}

fn vf_pod(namespace: &str, name: &str, network: Option<&str>, source: VfPodSource) -> VfPod {
    let network = network.map(str::to_owned);
    VfPod { namespace: namespace.to_owned(), name: name.to_owned(), network, source }
}

fn vf_interface(name: &str, netns: Option<&str>, last: u8) -> PciInterface {
    PciInterface {
        ifindex: u32::from(last),
        name: name.to_owned(),
        netns: netns.map(str::to_owned),
        mtu: 1500,
        mac: Some(Mac([2, 0, 0, 0, 0, last])),
        up: true,
        ..PciInterface::default()
    }
}

/// Virtual functions of every sort: in pods with awkward names, of `vfio-pci`, in a network namespace without a known pod, and
/// of a PF without an interface.
pub(crate) fn many_vfs() -> Vec<VirtualFunction> {
    let settings = VfSettings {
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        vlan: Some(VfVlan { id: 100, qos: 3, is_qinq: false }),
        spoof_check: Some(true),
        trust: Some(false),
        min_tx_mbit: None,
        max_tx_mbit: Some(5000),
        link_state: Some(VfLinkState::Auto),
        ..VfSettings::default()
    };
    let first = VirtualFunction {
        interface: Some(vf_interface("net1", Some("cni-5a2b8c9e-77d1-4c38-9d0f-2b1a6f3e4d5c"), 1)),
        pod: Some(vf_pod("shop", "evil\u{1b}[2Jpod", Some("sriov-net"), VfPodSource::SriovCni)),
        disputed_by: vec![vf_pod("shop", "cart-0", None, VfPodSource::Netns)],
        settings: Some(settings),
        ..vf("ens1f0", 0, Some("iavf"))
    };
    let wide = VirtualFunction {
        interface: Some(vf_interface("net1", Some("cni-0c1d"), 7)),
        pod: Some(vf_pod(
            "店舗",
            "世界-カート-7d9f8b6c5-x2x4z",
            Some("網\u{202e}路"),
            VfPodSource::LibcniDevice,
        )),
        settings: Some(VfSettings { vlan: None, trust: None, ..settings }),
        ..vf("ens1f0", 1, Some("iavf"))
    };
    let dpdk = VirtualFunction {
        pod: Some(vf_pod("telco", "dpdk-forwarder-0", Some("sriov-dpdk"), VfPodSource::SriovCni)),
        settings: Some(VfSettings { vlan: None, link_state: Some(VfLinkState::Disable), ..settings }),
        ..vf("ens1f0", 2, Some("vfio-pci"))
    };
    let nobodys = VirtualFunction {
        interface: Some(PciInterface {
            up: false,
            ..vf_interface("eth7", Some("cni-9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a"), 9)
        }),
        settings: Some(VfSettings { mac: None, max_tx_mbit: None, ..settings }),
        ..vf("ens1f0", 10, Some("iavf"))
    };
    let by_driver = VirtualFunction {
        pod: Some(vf_pod("telco", "dpdk-router-0", Some("sriov-dpdk"), VfPodSource::LibcniDevice)),
        ..vf("enp129s0f0np0", 12, Some("vfio-pci"))
    };
    let unknown = VirtualFunction { pf: None, pf_driver: None, iommu_group: None, ..vf("", 13, None) };
    vec![first, wide, dpdk, nobodys, by_driver, unknown]
}

/// Adds what they carried to a sample `seconds` old.
pub(crate) fn add_vfs(sample: &mut Sample, seconds: u64) {
    let wave = |seconds: u64| (0..seconds).map(|second| 300 + 30 * (second % 16)).sum::<u64>();
    let counters = |scale: u64, seconds: u64| {
        let packets = wave(seconds) * scale;
        LinkCounters {
            tx_packets: packets,
            tx_bytes: packets * 1400,
            rx_packets: packets / 3,
            rx_bytes: packets / 3 * 900,
            ..LinkCounters::default()
        }
    };
    let all = many_vfs();
    let [first, wide, dpdk, nobodys, by_driver, _] = &all[..] else { panic!() };
    sample.vfs = vec![
        interface_of(first, counters(12, seconds)),
        interface_of(wide, LinkCounters { rx_dropped: 2 * seconds, ..counters(3, seconds) }),
        interface_of(nobodys, LinkCounters::default()),
    ];
    let asked = seconds / 5 * 5;
    let told = |seconds: u64| {
        vec![driver_of(dpdk, LinkCounters::default()), driver_of(by_driver, counters(5, seconds))]
    };
    sample.vf_drivers = VfDrivers {
        at: Duration::from_secs(asked),
        told: told(asked),
        before: (seconds >= 10).then(|| (Duration::from_secs(asked - 5), told(asked - 5))),
    };
}

/// The same node where programs count the VF of the pod.
pub(crate) fn vfs_by_ebpf() -> Model {
    let inventory = two_vfs();
    let sample = |seconds: u64| {
        let counters = LinkCounters {
            rx_packets: 900 * seconds,
            tx_packets: 300 * seconds,
            rx_bytes: 1_300_000 * seconds,
            tx_bytes: 20_000 * seconds,
            rx_dropped: seconds,
            tx_dropped: 0,
        };
        let direction = |skbs: u64, packets: u64, bytes: u64, size: usize| {
            let counts = Counts { skbs, packets, outer_bytes: bytes, ..Counts::default() };
            let mut sizes = vec![0; BUCKETS];
            sizes[size] = packets;
            (counts, Kinds { ipv4: packets, tcp: packets, sizes, ..Kinds::default() })
        };
        let tx = direction(300 * seconds, counters.tx_packets, counters.tx_bytes, 0);
        let rx = direction(30 * seconds, counters.rx_packets, counters.rx_bytes, EDGE);
        let counted = VfCounts {
            since: Duration::from_secs(1),
            counts: PerDirection { tx: tx.0, rx: rx.0 },
            kinds: PerDirection { tx: tx.1, rx: rx.1 },
        };
        let mut sample = sample_of_two_vfs(&inventory, counters, seconds);
        sample.vfs[0].programs = Some(counted);
        sample
    };
    build(&inventory, &sample(40), Some(&sample(39)))
}
