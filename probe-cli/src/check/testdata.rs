//! Nodes of which everything was read and nothing is wrong.

mod healthy;
mod packets;
mod probes;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    facts::{
        Bounded, Snapshot,
        counters::{
            ConntrackCounters, ConntrackEvents, IcmpCounters, IpCounters, LinkStatistics, Netstat,
            NodeCounters, ProtocolCounters, Snmp, Snmp6, SoftnetCounters, TcpCounters, TcpExtension,
        },
        device_plugin::{DevicePluginConfig, DevicePool, DeviceSelector},
        files::{HostFiles, Settings, Sourced},
        host::{ConfSysctls, HostFacts, Sysctls},
        ipam::{IpamAddress, IpamNetwork},
        netlink::{
            DeviceFact, DriverFact, Facts, FeatureFact, Ipv4Conf, LinkCounters, LinkFact, NeighbourState,
            NeighbourStateFact, OperState, VfInfoFact, VfLinkState, VfListFact,
        },
        network::{NetworkDevice, NetworkFacts},
        pci::PciFunctionFact,
        pods::{Attachment, PodFacts, Sandbox},
        sriov::{OfPf, PciInterface, PfFact, SriovFacts, VfFact},
    },
    inventory::{PeerKey, testdata::*},
    model::{Model, PlannedBackend, Probed, over},
    observed::Observed,
    sample::{Frame, PerDirection, Sample, VfSample, WireguardSample},
};

pub(crate) use healthy::healthy;

/// Index of the PF's interface.
pub(crate) const PF: u32 = 40;

/// A node at the two ends of a window.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) snapshot: Snapshot,
    pub(crate) before: NodeCounters,
    pub(crate) after: NodeCounters,
    /// What WireGuard counted, at the end.
    pub(crate) wireguard: BTreeMap<(u32, PeerKey), WireguardSample>,
    /// Bytes that are sent to each WireGuard peer in the window.
    pub(crate) wireguard_sends: u64,
    /// Bytes that the first VF sends in the window.
    pub(crate) vf_sends: u64,
    /// What programs counted in the window; nobody asked, if nothing says otherwise.
    pub(crate) counted: Sample,
    /// What probes came to; nobody asked, if nothing says otherwise.
    pub(crate) probed: Observed<Probed>,
    /// What somebody plans; nothing, if nothing says otherwise.
    pub(crate) planned: Option<PlannedBackend>,
}

impl Node {
    /// RKE2 with Canal: VXLAN of both families, two other nodes, two pods.
    pub(crate) fn canal() -> Self {
        let mut facts = flannel6(flannel4(node(), 2), 2);
        facts = own_block(facts);
        for ifindex in [20, 21] {
            facts = calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32"));
        }
        for link in &mut facts.links {
            if link.ifindex >= 20 {
                link.mtu = 1430;
            }
        }
        Self::of(&facts, "10.42.0.0/16,fd42::/32")
    }

    /// RKE2 with Canal over WireGuard.
    pub(crate) fn wireguard() -> Self {
        let mut facts = own_block(node());
        facts.links.push(wireguard(5, "flannel-wg"));
        facts.wireguard = vec![told(wireguard_fact(5, 51820, &["10.42.2.0/24", "10.42.3.0/24"]))];
        facts.addresses.push(address(5, "10.42.0.0/32"));
        facts.routes.push(route("10.42.0.0/16", None, 5));
        for ifindex in [20, 21] {
            facts = calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32"));
        }
        for link in &mut facts.links {
            if link.ifindex >= 20 {
                link.mtu = 1420;
            }
        }
        let mut node = Self::of(&facts, "10.42.0.0/16");
        node.set("flannel.backend", "wireguard");
        for number in [2, 3] {
            let key = PeerKey::PublicKey(crate::facts::netlink::PublicKey([number; 32]));
            let sample = WireguardSample {
                last_handshake: Some(Duration::from_secs(1_000_000 - 60)),
                bytes: PerDirection { tx: 5_000, rx: 4_000 },
            };
            node.wireguard.insert((5, key), sample);
        }
        node
    }

    /// flannel without encapsulation.
    pub(crate) fn host_gw() -> Self {
        let mut facts = own_block(node());
        for number in [2, 3] {
            facts.routes.push(route(
                &format!("10.42.{number}.0/24"),
                Some(&format!("192.0.2.{number}")),
                ETH0,
            ));
        }
        for ifindex in [20, 21] {
            facts = calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32"));
        }
        let mut node = Self::of(&facts, "10.42.0.0/16");
        node.set("flannel.backend", "host-gw");
        node
    }

    /// Canal, and a PF with three VFs: two in pods' namespaces, and a free one with its interface on the node.
    pub(crate) fn sriov() -> Self {
        let mut node = Self::canal();
        let pf = LinkFact { oper_state: Some(OperState::Up), ..ethernet(PF, "ens1f0") };
        node.facts().links.push(pf);
        let vf = |index: u32| VfFact {
            index,
            pci: format!("0000:01:01.{index}"),
            driver: Some("iavf".to_owned()),
            iommu_group: Some(20 + index),
            stats: None,
        };
        let interface = |pci: &str, ifindex: u32, name: &str, netns: Option<&str>| PciInterface {
            pci: pci.to_owned(),
            ifindex,
            name: name.to_owned(),
            netns: netns.map(str::to_owned),
            mtu: 1500,
            mac: Some(mac(0x80 + u8::try_from(ifindex).unwrap())),
            up: true,
        };
        let interfaces = vec![
            interface("0000:01:00.0", PF, "ens1f0", None),
            interface("0000:01:01.0", 41, "net1", Some("cni-1")),
            interface("0000:01:01.1", 42, "net1", Some("cni-2")),
            interface("0000:01:01.2", 43, "ens1f0v2", None),
        ];
        let settings = |index: u32| VfInfoFact {
            index,
            mac: Some(mac(0x80 + 41 + u8::try_from(index).unwrap())),
            spoof_check: Some(true),
            max_tx_mbit: Some(1000),
            link_state: Some(VfLinkState::Auto),
            ..VfInfoFact::default()
        };
        let told = VfListFact { count: Some(3), vfs: (0..3).map(settings).collect(), truncated: false };
        let pf = PfFact {
            pci: "0000:01:00.0".to_owned(),
            driver: Some("ice".to_owned()),
            total_vfs: 128,
            num_vfs: Some(3),
            vfs: (0..3).map(vf).collect(),
        };
        node.snapshot.sriov = Arc::new(SriovFacts {
            pfs: vec![pf].into(),
            lists: vec![OfPf { pci: "0000:01:00.0".to_owned(), told: Observed::Value(told) }],
            interfaces,
            netns: vec!["cni-1".to_owned(), "cni-2".to_owned()],
            ..SriovFacts::default()
        });
        let function = |address: String, device: &str, driver: &str, pf: Option<&str>| PciFunctionFact {
            address,
            vendor: "8086".to_owned(),
            device: device.to_owned(),
            class: "020000".to_owned(),
            driver: Some(driver.to_owned()),
            physical_function: pf.map(str::to_owned),
            ..PciFunctionFact::default()
        };
        let mut pci = vec![function("0000:01:00.0".to_owned(), "1592", "ice", None)];
        pci.extend(
            (0..3).map(|index| function(format!("0000:01:01.{index}"), "1889", "iavf", Some("0000:01:00.0"))),
        );
        node.snapshot.pci = Arc::new(Observed::Value(pci));
        let given = [("a-0", "0000:01:01.0"), ("b-0", "0000:01:01.1")];
        let configuration = |(pod, device): &(&str, &str)| Attachment {
            container_id: if *pod == "a-0" { "sandbox-1" } else { "sandbox-2" }.to_owned(),
            namespace: "telco".to_owned(),
            pod: (*pod).to_owned(),
            network: "sriov-net".to_owned(),
            ifname: "net1".to_owned(),
            device: Some((*device).to_owned()),
            ..Attachment::default()
        };
        let pods = PodFacts {
            attachments: given.iter().map(configuration).collect(),
            devices: Observed::Value(Vec::new()),
            ..(*node.snapshot.pods).clone()
        };
        node.snapshot.pods = Arc::new(pods);
        node.pools(&[("intel_sriov", &[("devices", "1889"), ("pfNames", "ens1f0")])]);
        node
    }

    /// Gives the SR-IOV device plugin these pools, each with one value for each of its selectors.
    pub(crate) fn pools(&mut self, pools: &[(&str, &[(&str, &str)])]) {
        let sourced = |text: &str| Sourced {
            value: text.to_owned(),
            file: "/etc/pcidp/config.json".to_owned(),
            line: Some(4),
        };
        let pool = |(name, selectors): &(&str, &[(&str, &str)])| {
            let mut map = DeviceSelector::default();
            for (key, value) in *selectors {
                let list = match *key {
                    "devices" => &mut map.devices,
                    "drivers" => &mut map.drivers,
                    "pfNames" => &mut map.pf_names,
                    other => panic!("{other}"),
                };
                list.push(sourced(value));
            }
            DevicePool { name: sourced(name), selectors: vec![map], ..DevicePool::default() }
        };
        let file = "/etc/pcidp/config.json".to_owned();
        let config = DevicePluginConfig { file, resources: pools.iter().map(pool).collect() };
        self.files().device_plugin = Observed::Value(config);
    }

    /// Physical and virtual functions, to be changed.
    pub(crate) fn sriov_facts(&mut self) -> &mut SriovFacts {
        Arc::make_mut(&mut self.snapshot.sriov)
    }

    /// What the PF's driver has set for the first VF, to be changed.
    pub(crate) fn first_vf(&mut self) -> &mut VfInfoFact {
        match &mut self.sriov_facts().lists[0].told {
            Observed::Value(list) => &mut list.vfs[0],
            other @ (Observed::Absent
            | Observed::Denied { .. }
            | Observed::Unsupported { .. }
            | Observed::Failed { .. }) => panic!("{other:?}"),
        }
    }

    /// With somebody's VPN: it routes more than the pods' networks, and has a peer that nobody heard of.
    pub(crate) fn with_vpn(mut self) -> Self {
        const VPN: u32 = 50;
        let facts = self.facts();
        facts.links.push(wireguard(VPN, "wg0"));
        let mut fact = wireguard_fact(VPN, 51_000, &["10.0.0.0/8", "198.51.100.0/24"]);
        fact.peers[1].endpoint = None;
        let keys: Vec<_> = fact.peers.iter().map(|peer| peer.public_key).collect();
        facts.wireguard.push(told(fact));
        facts.addresses.push(address(VPN, "10.200.0.2/24"));
        facts.routes.push(route("10.0.0.0/8", None, VPN));
        facts.links.push(LinkFact { up: false, ..wireguard(VPN + 1, "wg1") });
        facts.wireguard.push(told(wireguard_fact(VPN + 1, 51_001, &[])));
        for key in keys {
            let sample = WireguardSample { last_handshake: None, bytes: PerDirection { tx: 148, rx: 0 } };
            self.wireguard.insert((VPN, PeerKey::PublicKey(key)), sample);
        }
        self
    }

    fn of(facts: &Facts, cluster_cidrs: &str) -> Self {
        let runtime =
            |number: u32| Sandbox { id: format!("sandbox-{number}"), ready: true, ..Sandbox::default() };
        let pods =
            PodFacts { sandboxes: Observed::Value(vec![runtime(1), runtime(2)]), ..PodFacts::default() };
        let rke2 = [("cni", "canal"), ("cluster-cidr", cluster_cidrs)];
        let settings: Settings = rke2
            .iter()
            .enumerate()
            .map(|(line, (name, values))| {
                let sourced = |value: &str| Sourced {
                    value: value.to_owned(),
                    file: "/etc/rancher/rke2/config.yaml".to_owned(),
                    line: u32::try_from(line + 1).ok(),
                };
                ((*name).to_owned(), values.split(',').map(sourced).collect())
            })
            .collect();
        let files = HostFiles { rke2: Observed::Value(settings), ..HostFiles::default() };
        let on = ConfSysctls {
            forwarding: Observed::Value(1),
            rp_filter: Observed::Value(0),
            proxy_arp: Observed::Value(0),
            ..ConfSysctls::default()
        };
        let sysctls = Sysctls { ipv4_all: on.clone(), ipv6_all: on, ..Sysctls::default() };
        let device = |ifindex: u32, name: &str| NetworkDevice {
            device: DeviceFact {
                ifindex,
                driver: Observed::Value(DriverFact { name: name.to_owned(), ..DriverFact::default() }),
                features: Observed::Value(BTreeMap::from([(
                    "tx-checksum-ip-generic".to_owned(),
                    FeatureFact { is_active: true, is_wanted: true, is_fixed: false },
                )])),
                ..DeviceFact::default()
            },
            neighbours: Observed::Value(Bounded { rows: neighbours(ifindex), ..Bounded::default() }),
        };
        let network = NetworkFacts {
            sysctls,
            pmtu_ipv4: Observed::Value(Bounded::default()),
            pmtu_ipv6: Observed::Value(Bounded::default()),
            devices: vec![device(ETH0, "virtio_net"), device(FLANNEL, "vxlan")],
            ..NetworkFacts::default()
        };
        let host = HostFacts {
            kernel: Observed::Value("6.12.0".to_owned()),
            hostname: Observed::Value("node-1".to_owned()),
            wireguard_module: Observed::Value(true),
            ..HostFacts::default()
        };
        let snapshot = Snapshot {
            files: Arc::new(Observed::Value(files)),
            network: Arc::new(network),
            host: Arc::new(host),
            ipam: Arc::new(Observed::Value(Vec::new())),
            ..snapshot(facts, &pods, &[])
        };
        let (before, after, wireguard) = (counters(), counters(), BTreeMap::new());
        let (counted, probed) = (Sample::default(), Observed::Absent);
        let planned = None;
        Self { snapshot, before, after, wireguard, wireguard_sends: 0, vf_sends: 0, counted, probed, planned }
    }

    /// The same, whose pods have what WireGuard leaves: somebody plans to switch to it.
    pub(crate) fn before_wireguard(mut self) -> Self {
        self.planned = Some(PlannedBackend::Wireguard);
        self.set("calico.vethuMTU", "1420");
        self.pod_mtu(1420);
        self
    }

    /// The model at the end of the window.
    pub(crate) fn model(&self) -> Model {
        let snapshot = Arc::new(self.snapshot.clone());
        let wireguard = |second: u64| {
            let mut wireguard = self.wireguard.clone();
            for peer in wireguard.values_mut() {
                peer.bytes.tx += self.wireguard_sends * second / 2;
            }
            wireguard
        };
        let frame = |node: &NodeCounters, second: u64| Frame {
            snapshot: Arc::clone(&snapshot),
            sample: Sample {
                node: Box::new(node.clone()),
                time: Duration::from_secs(1_000_000 - 2 + second),
                monotonic: Duration::from_secs(100 + second),
                wireguard: wireguard(second),
                vfs_at: Duration::from_secs(100 + second),
                vfs: vec![VfSample {
                    pci: "0000:01:01.0".to_owned(),
                    interface: Some(LinkCounters {
                        tx_bytes: self.vf_sends * second / 2,
                        ..LinkCounters::default()
                    }),
                    ..VfSample::default()
                }],
                ..self.counted.clone()
            },
        };
        let before = Sample {
            tunnels: packets::nothing(&self.counted),
            peers: packets::nothing_of_peers(&self.counted),
            drops: Observed::Absent,
            ..frame(&self.before, 0).sample
        };
        let mut model = Arc::unwrap_or_clone(over(before, frame(&self.after, 2)));
        model.probed.clone_from(&self.probed);
        model.planned_backend = self.planned;
        model
    }

    /// What was counted of a device at the end, to be changed.
    pub(crate) fn statistics(&mut self, ifindex: u32) -> &mut LinkStatistics {
        let is_it = |link: &&mut LinkStatistics| link.ifindex == ifindex;
        let links = self.after.links.iter_mut().filter_map(|link| match link {
            Observed::Value(link) => Some(link),
            Observed::Absent
            | Observed::Denied { .. }
            | Observed::Unsupported { .. }
            | Observed::Failed { .. } => None,
        });
        links.into_iter().find(is_it).unwrap()
    }

    /// The kernel's tables, to be changed.
    pub(crate) fn facts(&mut self) -> &mut Facts {
        Arc::make_mut(&mut self.snapshot.netlink)
    }

    /// The node's network beside its tables, to be changed.
    pub(crate) fn network(&mut self) -> &mut NetworkFacts {
        Arc::make_mut(&mut self.snapshot.network)
    }

    /// The node's files, to be changed.
    pub(crate) fn files(&mut self) -> &mut HostFiles {
        match Arc::make_mut(&mut self.snapshot.files) {
            Observed::Value(files) => files,
            other @ (Observed::Absent
            | Observed::Denied { .. }
            | Observed::Unsupported { .. }
            | Observed::Failed { .. }) => panic!("{other:?}"),
        }
    }

    /// Writes a value into the HelmChartConfig of Canal.
    pub(crate) fn set(&mut self, path: &str, value: &str) {
        use crate::facts::files::{Chart, ChartKind};
        let sourced = |value: &str, line| Sourced {
            value: value.to_owned(),
            file: "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml".to_owned(),
            line: Some(line),
        };
        let chart = Chart {
            kind: ChartKind::HelmChartConfig,
            api_version: Some(sourced("helm.cattle.io/v1", 1)),
            name: sourced("rke2-canal", 4),
            namespace: Some(sourced("kube-system", 5)),
            chart: None,
            values: Settings::from([(path.to_owned(), vec![sourced(value, 9)])]),
        };
        self.files().charts = Observed::Value(vec![chart]);
    }

    /// Addresses of so many pods that are gone.
    pub(crate) fn leak(&mut self, count: u8) {
        let taken = (0..count).map(|number| IpamAddress {
            address: ip(&format!("10.42.0.{}", 100 + number)),
            container: format!("gone-{number}"),
            interface: Some("eth0".to_owned()),
        });
        let network = IpamNetwork {
            name: "k8s-pod-network".to_owned(),
            directory: "/var/lib/cni/networks/k8s-pod-network".to_owned(),
            taken: taken.collect(),
            ..IpamNetwork::default()
        };
        self.snapshot.ipam = Arc::new(Observed::Value(vec![network]));
    }

    /// Gives pods' interfaces this MTU.
    pub(crate) fn pod_mtu(&mut self, mtu: u32) {
        for link in self.facts().links.iter_mut().filter(|link| link.ifindex >= 20) {
            link.mtu = mtu;
        }
    }

    /// Gives a link these settings of its own.
    pub(crate) fn ipv4_conf(&mut self, ifindex: u32, conf: Ipv4Conf) {
        for link in self.facts().links.iter_mut().filter(|link| link.ifindex == ifindex) {
            link.ipv4_conf = Some(conf);
        }
    }

    /// Gives every link this name, and a number.
    pub(crate) fn rename(&mut self, name: &str) {
        for link in &mut self.facts().links {
            link.name = format!("{name}{}", link.ifindex);
        }
    }
}

/// Other nodes, who answer.
fn neighbours(ifindex: u32) -> Vec<NeighbourStateFact> {
    let of = |number: u8| NeighbourStateFact {
        ifindex,
        address: ip(&format!("192.0.2.{number}")),
        mac: Some(mac(0x40 + number)),
        state: Some(NeighbourState::Reachable),
        is_router: false,
        confirmed_s: Some(1),
        used_s: Some(1),
        updated_s: Some(1),
        probes: Some(0),
    };
    if ifindex == ETH0 { vec![of(2), of(3)] } else { Vec::new() }
}

fn counters() -> NodeCounters {
    let ip = IpCounters { fragments_created: Some(7), reassembly_failures: Some(7), ..IpCounters::default() };
    NodeCounters {
        protocols: ProtocolCounters {
            snmp: Observed::Value(Snmp {
                ip: ip.clone(),
                icmp: IcmpCounters::default(),
                tcp: TcpCounters { in_checksum_errors: Some(7), ..TcpCounters::default() },
                ..Snmp::default()
            }),
            netstat: Observed::Value(Netstat {
                tcp: TcpExtension { reverse_path_filter: Some(7), ..TcpExtension::default() },
                ..Netstat::default()
            }),
            snmp6: Observed::Value(Snmp6 { ip, ..Snmp6::default() }),
        },
        softnet: Observed::Value(vec![SoftnetCounters {
            cpu: 0,
            processed: 7,
            ..SoftnetCounters::default()
        }]),
        conntrack: Observed::Value(ConntrackCounters {
            count: Observed::Value(1_000),
            max: Observed::Value(100_000),
            buckets: Observed::Value(100_000),
            events: Observed::Value(ConntrackEvents {
                drop: Some(7),
                early_drop: Some(7),
                insert_failed: Some(7),
                ..ConntrackEvents::default()
            }),
        }),
        links: [ETH0, FLANNEL, FLANNEL6, 5].map(statistics).to_vec(),
    }
}

/// What was counted of a device.
fn statistics(ifindex: u32) -> Observed<LinkStatistics> {
    let rx_otherhost_dropped = Some(7);
    Observed::Value(LinkStatistics { ifindex, rx_otherhost_dropped, ..LinkStatistics::default() })
}
