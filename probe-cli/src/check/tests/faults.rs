//! One fault for each check, made on a healthy node's facts.

pub(super) mod cni;
pub(super) mod intent;
pub(super) mod network;
pub(super) mod packets;
pub(super) mod pods;
pub(super) mod probes;
pub(super) mod sriov;

use std::sync::Arc;

use crate::check::testdata::Node;
use crate::{
    facts::{
        Bounded, OfNamespace,
        counters::{ConntrackCounters, NodeCounters},
        files::{
            CniDirectory, CniFile, CniNetwork, CniPlugin, Multus, NetworkManager, Networkd, Settings,
            Sourced, SubnetEnv,
        },
        host::HostFacts,
        netlink::{FdbFact, LinkFact, NamespaceFact, NeighbourFact, NeighbourState, OperState, VxlanFact},
        network::{InsideFacts, PodNetwork},
        pods::{Attachment, AttachmentIpam, PodFacts, RegisteredPod},
    },
    inventory::testdata::*,
    observed::Observed,
};

/// A fault, and the check that finds it.
pub(super) struct Fault {
    pub(super) raises: &'static str,
    /// Checks that find the same fault as well.
    pub(super) with: &'static [&'static str],
    base: fn() -> Node,
    change: fn(&mut Node),
}

impl Fault {
    /// The node with the fault.
    pub(super) fn node(&self) -> Node {
        let mut node = (self.base)();
        (self.change)(&mut node);
        node
    }

    const fn with(self, with: &'static [&'static str]) -> Self {
        Self { with, ..self }
    }
}

const fn canal(raises: &'static str, change: fn(&mut Node)) -> Fault {
    Fault { raises, with: &[], base: Node::canal, change }
}

const fn wg(raises: &'static str, change: fn(&mut Node)) -> Fault {
    Fault { raises, with: &[], base: Node::wireguard, change }
}

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    let mut all = vec![
        canal("intent-cni-differs", |node| configure(node, "cni", "calico")),
        canal("intent-backend-differs", |node| node.set("flannel.backend", "wireguard")),
        canal("intent-families-differ", |node| configure(node, "cluster-cidr", "10.42.0.0/16")),
        canal("intent-cluster-cidr-differs", |node| {
            configure(node, "cluster-cidr", "10.99.0.0/16,fd42::/32");
        })
        .with(&["peer-route-without-neighbour"]),
        canal("intent-pod-cidr-differs", |node| {
            let subnet = Some(sourced(net("10.42.9.1/24"), 2));
            let env =
                SubnetEnv { file: "/run/flannel/subnet.env".to_owned(), subnet, ..SubnetEnv::default() };
            node.files().subnet_env = Observed::Value(env);
        }),
        canal("intent-node-address-differs", |node| configure(node, "node-ip", "192.0.2.77,2001:db8::1")),
        canal("intent-interface-differs", |node| node.set("flannel.iface", "eth1")),
        canal("intent-vni-differs", |node| {
            node.set("flannel.vni", "7");
            flannel_conf(node, |conf| conf.vni = Some(sourced(7, 5)));
        }),
        canal("intent-port-differs", |node| flannel_conf(node, |conf| conf.port = Some(sourced(4789, 6)))),
        canal("intent-wireguard-impossible", |node| {
            node.set("flannel.backend", "wireguard");
            let host =
                HostFacts { wireguard_module: Observed::Value(false), ..(*node.snapshot.host).clone() };
            node.snapshot.host = Arc::new(host);
        }),
        canal("intent-manifest-ignored", |node| {
            node.set("calico.vethuMTU", "1430");
            if let Observed::Value(charts) = &mut node.files().charts {
                charts[0].api_version = None;
            }
        }),
        canal("intent-cni-unknown", |node| configure(node, "cni", "multus+canal")),
        canal("intent-multus-missing", |node| configure(node, "cni", "multus,canal")),
        canal("intent-multus-nested", |node| {
            let plugin = |multus| CniPlugin {
                kind: sourced("multus".to_owned(), 3),
                multus: Some(Box::new(multus)),
                ..CniPlugin::default()
            };
            let network = |plugin| CniNetwork {
                name: Some(sourced("multus-cni-network".to_owned(), 1)),
                plugins: vec![plugin],
                ..CniNetwork::default()
            };
            let inner = network(plugin(Multus::default()));
            let outer = network(plugin(Multus { delegates: vec![inner], ..Multus::default() }));
            let file = "/etc/cni/net.d/00-multus.conf".to_owned();
            let file = CniFile { file, network: outer, problem: None, unread: None };
            let path = sourced("/etc/cni/net.d".to_owned(), 1);
            let directory = CniDirectory { path, files: vec![file], default_network: Some(0) };
            node.files().cni = Observed::Value(directory);
        }),
        canal("dataplane-missing", |node| {
            let facts = node.facts();
            facts.links.retain(|link| link.vxlan.is_none());
            facts.routes.retain(|route| !matches!(route.ifindex, Some(FLANNEL | FLANNEL6)));
            facts.neighbours.clear();
            facts.fdb.clear();
            facts.addresses.retain(|own| own.ifindex != FLANNEL);
        }),
        canal("dataplane-underlay-down", |node| {
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == ETH0) {
                (link.up, link.oper_state) = (false, Some(OperState::Down));
            }
        }),
        // WireGuard's devices have none below, and no route tells which it was.
        wg("dataplane-underlay-down", |node| {
            let facts = node.facts();
            for link in facts.links.iter_mut().filter(|link| link.ifindex == ETH0) {
                (link.up, link.oper_state) = (false, Some(OperState::Down));
            }
            facts.routes.retain(|route| route.ifindex != Some(ETH0));
            facts.addresses.retain(|own| own.ifindex != ETH0 || own.address.addr().is_ipv4());
        }),
        canal("dataplane-tunnel-down", |node| {
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == FLANNEL) {
                link.up = false;
            }
        }),
        canal("dataplane-tunnel-unconfigured", |node| {
            without_peers(node);
            node.facts().addresses.retain(|own| own.ifindex != FLANNEL);
        }),
        Fault {
            raises: "dataplane-host-device-down",
            with: &[],
            base: Node::cilium,
            change: |node| {
                let facts = node.facts();
                let host = facts.links.iter_mut().find(|link| link.name == "cilium_host").unwrap();
                host.up = false;
                let ifindex = host.ifindex;
                facts.routes.retain(|route| route.ifindex != Some(ifindex));
            },
        },
        wg("dataplane-stale-device", |node| {
            let facts = flannel4(std::mem::take(node.facts()), 2);
            *node.facts() = facts;
        })
        .with(&[
            "dataplane-bypassed",
            "intent-backend-differs",
            "intent-port-differs",
            "mtu-pods-differ",
        ]),
        // Of another CNI, and of a family that the other tunnel is not of.
        canal("dataplane-stale-device", |node| {
            let data = VxlanFact {
                vni: 4096,
                port: 4789,
                link: Some(ETH0),
                local: Some(ip("192.0.2.1")),
                ..VxlanFact::default()
            };
            node.facts().links.push(vxlan(11, "flannel.4096", data));
        }),
        wg("dataplane-bypassed", |node| {
            node.facts().links.push(ethernet(9, "eth1"));
            node.facts().routes.push(route("10.42.2.0/24", Some("192.0.2.9"), 9));
            let data = VxlanFact { vni: 9, port: 4789, link: Some(ETH0), ..VxlanFact::default() };
            node.facts().links.push(vxlan(10, "vx9", data));
            node.facts().routes.push(route("10.42.3.0/24", Some("10.42.3.0"), 10));
            node.facts().neighbours.push(neighbour(10, "10.42.3.0", mac(3)));
            node.facts().fdb.push(fdb(10, mac(3), "192.0.2.3"));
        })
        .with(&[
            "dataplane-stale-device",
            "intent-backend-differs",
            "intent-port-differs",
            "mtu-pods-differ",
        ]),
        canal("dataplane-source-not-here", |node| {
            node.facts().addresses.retain(|own| own.address != net("192.0.2.1/24"));
            node.facts().addresses.push(address(ETH0, "192.0.2.99/24"));
        }),
        canal("dataplane-port-shared", |node| {
            let data = VxlanFact {
                vni: 1,
                port: 8472,
                link: Some(ETH0),
                collect_metadata: true,
                ..VxlanFact::default()
            };
            node.facts().links.push(vxlan(11, "cilium_vxlan", data));
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == FLANNEL) {
                link.up = false;
            }
        })
        .with(&["dataplane-stale-device"]),
        canal("dataplane-udp-backend", |node| {
            let tun = LinkFact {
                kind: Some("tun".to_owned()),
                hardware_type: 65_534,
                mtu: 1472,
                ..ethernet(12, "flannel0")
            };
            node.facts().links.push(tun);
            node.facts().addresses.push(address(12, "10.42.0.0/16"));
            node.facts()
                .routes
                .push(crate::facts::netlink::RouteFact { protocol: 2, ..route("10.42.0.0/16", None, 12) });
        })
        .with(&[
            "intent-backend-differs",
            "intent-port-differs",
            "dataplane-stale-device",
            "mtu-pods-differ",
        ]),
        canal("mtu-tunnel-exceeds-underlay", |node| {
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == ETH0) {
                link.mtu = 1400;
            }
        }),
        canal("mtu-pod-exceeds-tunnel", |node| node.pod_mtu(1500)),
        canal("mtu-pods-differ", |node| {
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == 20) {
                link.mtu = 1300;
            }
        }),
        canal("mtu-ipv6-too-small", |node| {
            for link in
                node.facts().links.iter_mut().filter(|link| link.ifindex == FLANNEL6 || link.ifindex >= 20)
            {
                link.mtu = 1200;
            }
        }),
        // The kernel takes addresses, routes and neighbours with IPv6; the FDB stays.
        canal("mtu-ipv6-too-small", |node| {
            let facts = node.facts();
            facts.links.iter_mut().filter(|link| link.ifindex == FLANNEL6).for_each(|link| link.mtu = 1270);
            facts.routes.retain(|route| route.ifindex != Some(FLANNEL6));
            facts.neighbours.retain(|entry| entry.ifindex != FLANNEL6);
            facts.addresses.retain(|own| own.ifindex != FLANNEL6);
        }),
        canal("mtu-path-smaller", |node| {
            let rows = vec![learned("192.0.2.2", 1400)];
            node.network().pmtu_ipv4 = Observed::Value(Bounded { rows, ..Bounded::default() });
        }),
        canal("mtu-underlay-wasted", jumbo),
        canal("peer-route-without-neighbour", |node| {
            node.facts().neighbours.retain(|entry| entry.address != ip("10.42.2.0"));
        }),
        canal("peer-neighbour-without-fdb", |node| node.facts().fdb.retain(|entry| entry.mac != mac(2))),
        canal("peer-fdb-without-route", |node| {
            node.facts().routes.retain(|route| route.destination != net("10.42.2.0/24"));
        }),
        canal("peer-vtep-mac-shared", |node| {
            node.facts().neighbours.retain(|entry| entry.address != ip("10.42.3.0"));
            node.facts().fdb.retain(|entry| entry.mac != mac(3));
            node.facts().neighbours.push(neighbour(FLANNEL, "10.42.3.0", mac(2)));
            node.facts().fdb.push(fdb(FLANNEL, mac(2), "192.0.2.3"));
        }),
        canal("peer-destination-shared", |node| {
            node.facts().fdb.retain(|entry: &FdbFact| entry.mac != mac(3));
            node.facts().fdb.push(fdb(FLANNEL, mac(3), "192.0.2.2"));
        }),
        canal("peer-own-address", |node| {
            node.facts().addresses.push(address(FLANNEL, "10.42.7.0/32"));
            let stale = NeighbourFact { permanent: true, ..neighbour(FLANNEL, "10.42.7.0", mac(7)) };
            node.facts().neighbours.push(stale);
            node.facts().fdb.push(fdb(FLANNEL, mac(7), "192.0.2.7"));
        })
        .with(&["peer-fdb-without-route"]),
        canal("peer-underlay-silent", |node| {
            if let Observed::Value(table) = &mut node.network().devices[0].neighbours {
                table.rows[0].state = Some(NeighbourState::Failed);
            }
        }),
        canal("peer-unrouted", |node| {
            node.facts().routes.retain(|route| {
                route.destination != net("0.0.0.0/0") && route.destination != net("192.0.2.0/24")
            });
        })
        .with(&["host-default-route-missing"]),
        canal("peer-family-missing", |node| {
            node.facts().routes.retain(|route| route.ifindex != Some(FLANNEL6));
            node.facts().neighbours.retain(|entry| entry.ifindex != FLANNEL6);
            node.facts().fdb.retain(|entry| entry.ifindex != FLANNEL6);
            node.facts().routes.push(blackhole("fd42:0:0:9::/64"));
            node.facts().addresses.push(address(FLANNEL6, "fd42:0:0:9::/128"));
        })
        .with(&["dataplane-stale-device"]),
        wg("wireguard-never-handshook", |node| {
            for sample in node.wireguard.values_mut().take(1) {
                sample.last_handshake = None;
            }
        }),
        wg("wireguard-handshake-old", |node| {
            keepalive(node);
            for sample in node.wireguard.values_mut().take(1) {
                sample.last_handshake = Some(std::time::Duration::from_secs(1_000_000 - 900));
            }
        }),
        wg("wireguard-endpoint-missing", |node| {
            if let Observed::Value(device) = &mut node.facts().wireguard[0].told {
                device.peers[0].endpoint = None;
            }
        }),
        wg("wireguard-allowed-ips-missing", |node| {
            if let Observed::Value(device) = &mut node.facts().wireguard[0].told {
                for number in 100..120 {
                    let mut peer = device.peers[0].clone();
                    peer.public_key = crate::facts::netlink::PublicKey([number; 32]);
                    peer.allowed_ips.clear();
                    device.peers.push(peer);
                }
            }
            let one = node.wireguard.values().next().copied().unwrap();
            for number in 100..120 {
                let key =
                    crate::inventory::PeerKey::PublicKey(crate::facts::netlink::PublicKey([number; 32]));
                node.wireguard.insert((5, key), one);
            }
        }),
        wg("wireguard-allowed-ips-overlap", |node| {
            if let Observed::Value(device) = &mut node.facts().wireguard[0].told {
                device.peers[0].allowed_ips.push(net("10.42.0.0/22"));
            }
        }),
        canal("host-forwarding-off", no_forwarding),
        canal("host-reverse-path-filter", |node| {
            node.network().sysctls.ipv4_all.rp_filter = Observed::Value(1);
            if let Observed::Value(netstat) = &mut node.after.protocols.netstat {
                netstat.tcp.reverse_path_filter = Some(20);
            }
        }),
        canal("host-default-route-missing", |node| {
            node.facts().routes.retain(|route| route.destination != net("0.0.0.0/0"));
        }),
        canal("host-router-advertisements-ignored", |node| {
            node.facts().routes.retain(|route| route.destination != net("::/0"));
            let learned =
                crate::facts::netlink::RouteFact { protocol: 9, ..route("2001:db8::/64", None, ETH0) };
            node.facts().routes.push(learned);
            for link in node.facts().links.iter_mut().filter(|link| link.ifindex == ETH0) {
                let conf =
                    crate::facts::netlink::Ipv6Conf { forwarding: 1, accept_ra: 1, ..Default::default() };
                link.ipv6_conf = Some(conf);
            }
        }),
        Fault {
            raises: "host-bridge-netfilter-missing",
            with: &[
                "mtu-pod-exceeds-tunnel",
                "mtu-pods-differ",
                "intent-cni-differs",
                "intent-pod-cidr-differs",
                "intent-cluster-cidr-differs",
            ],
            base: Node::canal,
            change: |node| {
                let facts = bridged_pod(std::mem::take(node.facts()), 30, "10.42.0.1/24");
                *node.facts() = facts;
            },
        },
        canal("host-conntrack-full", |node| {
            node.after.conntrack = Observed::Value(ConntrackCounters {
                count: Observed::Value(99_999),
                ..conntrack(&node.after)
            });
        }),
        canal("host-conntrack-insert-failed", |node| {
            let mut table = conntrack(&node.after);
            if let Observed::Value(events) = &mut table.events {
                events.insert_failed = Some(100);
            }
            node.after.conntrack = Observed::Value(table);
        }),
        canal("host-receive-queue-drops", |node| {
            if let Observed::Value(cpus) = &mut node.after.softnet {
                cpus[0].dropped = 50;
            }
        }),
        canal("host-checksum-errors", |node| {
            if let Observed::Value(snmp) = &mut node.after.protocols.snmp {
                snmp.tcp.in_checksum_errors = Some(20);
            }
        }),
        canal("host-checksum-offload-broken", |node| {
            let kernel = Observed::Value("5.4.0".to_owned());
            node.snapshot.host = Arc::new(HostFacts { kernel, ..(*node.snapshot.host).clone() });
        }),
        canal("host-networkmanager-manages", |node| {
            let manager = NetworkManager { is_running: Some(true), ..NetworkManager::default() };
            node.files().network_manager = Observed::Value(manager);
        }),
        canal("host-cloud-setup-enabled", |node| {
            let manager =
                NetworkManager { is_running: Some(false), cloud_setup: true, ..NetworkManager::default() };
            node.files().network_manager = Observed::Value(manager);
        }),
        Fault {
            raises: "host-networkd-deletes-routes",
            with: &[],
            base: Node::host_gw,
            change: |node| {
                let networkd = Networkd { is_running: Some(true), ..Networkd::default() };
                node.files().networkd = Observed::Value(networkd);
            },
        },
        canal("host-network-overlaps-pods", |node| {
            node.facts().links.push(ethernet(9, "eth1"));
            node.facts().addresses.push(address(9, "10.42.200.1/24"));
        }),
        canal("pod-address-twice", |node| {
            registered(node, &[("a-0", "cali20", "10.42.0.20"), ("b-0", "cali21", "10.42.0.20")]);
        }),
        canal("pod-address-outside", |node| {
            registered(node, &[("a-0", "cali20", "172.20.0.5"), ("b-0", "cali21", "10.42.0.21")]);
        }),
        canal("pod-ipam-leaked", |node| node.leak(40)),
        canal("pod-slice-unnamed", |node| {
            let ipam = AttachmentIpam {
                kind: "whereabouts".to_owned(),
                ranges: vec!["192.0.2.0/24".to_owned()],
                node_slice_size: Some("/26".to_owned()),
                network_name: None,
            };
            let attachment =
                Attachment { network: "macvlan".to_owned(), ipam: Some(ipam), ..Attachment::default() };
            let pods = PodFacts { attachments: vec![attachment], ..(*node.snapshot.pods).clone() };
            node.snapshot.pods = Arc::new(pods);
        }),
        canal("pod-default-route-secondary", secondary_default),
        Fault {
            raises: "host-localhost-ipv6-missing",
            with: &["intent-families-differ", "intent-cluster-cidr-differs"],
            base: Node::canal,
            change: |node| {
                configure(node, "cluster-cidr", "fd42::/32");
                node.files().hosts = Observed::Value(Vec::new());
            },
        },
    ];
    all.extend(intent::all());
    all.extend(network::all());
    all.extend(pods::all());
    all.extend(sriov::all());
    all.extend(cni::all());
    all.extend(packets::all());
    all.extend(probes::all());
    all
}

pub(super) fn sourced<T>(value: T, line: u32) -> Sourced<T> {
    Sourced { value, file: "/run/flannel/file".to_owned(), line: Some(line) }
}

/// Another value in RKE2's configuration.
pub(super) fn configure(node: &mut Node, name: &str, values: &str) {
    let sourced = |value: &str| Sourced {
        value: value.to_owned(),
        file: "/etc/rancher/rke2/config.yaml".to_owned(),
        line: Some(3),
    };
    let values = values.split(',').map(sourced).collect();
    if let Observed::Value(settings) = &mut node.files().rke2 {
        let settings: &mut Settings = settings;
        settings.insert(name.to_owned(), values);
    }
}

pub(super) fn flannel_conf(node: &mut Node, change: fn(&mut crate::facts::files::FlannelConf)) {
    let mut conf = crate::facts::files::FlannelConf {
        file: "/etc/kube-flannel/net-conf.json".to_owned(),
        network: Some(sourced(net("10.42.0.0/16"), 2)),
        backend: Some(sourced("vxlan".to_owned(), 4)),
        ..Default::default()
    };
    change(&mut conf);
    node.files().flannel = Observed::Value(conf);
}

/// A network for large packets below, and pods that send small ones.
pub(super) fn jumbo(node: &mut Node) {
    for link in &mut node.facts().links {
        match link.ifindex {
            ETH0 => link.mtu = 9000,
            FLANNEL => link.mtu = 8950,
            FLANNEL6 => link.mtu = 8930,
            _ => {}
        }
    }
}

/// Forwarding is off.
/// flannel.1 leads to no other node.
pub(super) fn without_peers(node: &mut Node) {
    let facts = node.facts();
    facts.routes.retain(|route| route.ifindex != Some(FLANNEL));
    facts.neighbours.retain(|neighbour| neighbour.ifindex != FLANNEL);
    facts.fdb.retain(|entry| entry.ifindex != FLANNEL);
}

pub(super) fn no_forwarding(node: &mut Node) {
    node.network().sysctls.ipv4_all.forwarding = Observed::Value(0);
}

fn keepalive(node: &mut Node) {
    if let Observed::Value(device) = &mut node.facts().wireguard[0].told {
        for peer in &mut device.peers {
            peer.keepalive_s = 25;
        }
    }
}

fn conntrack(counters: &NodeCounters) -> ConntrackCounters {
    counters.conntrack.value().cloned().unwrap()
}

/// Pods by name: name, the node's interface, address.
pub(super) fn registered(node: &mut Node, pods: &[(&str, &str, &str)]) {
    let of = |(name, host_ifname, address): &(&str, &str, &str)| RegisteredPod {
        namespace: "shop".to_owned(),
        name: (*name).to_owned(),
        addresses: vec![ip(address)],
        host_ifname: (*host_ifname).to_owned(),
        netns: format!("/run/netns/{name}"),
    };
    let pods = PodFacts { registered: pods.iter().map(of).collect(), ..(*node.snapshot.pods).clone() };
    node.snapshot.pods = Arc::new(pods);
}

/// A pod with a secondary interface that its default route leaves by.
fn secondary_default(node: &mut Node) {
    registered(node, &[("a-0", "cali20", "10.42.0.20")]);
    let path = "/run/netns/a-0".to_owned();
    let eth0 = LinkFact {
        kind: Some("veth".to_owned()),
        link: Some(20),
        link_netns: Some(0),
        ..ethernet(2, "eth0")
    };
    let net1 = LinkFact {
        kind: Some("macvlan".to_owned()),
        link: Some(ETH0),
        link_netns: Some(0),
        ..ethernet(3, "net1")
    };
    let namespace = NamespaceFact {
        path: path.clone(),
        links: vec![eth0, net1],
        addresses: vec![address(2, "10.42.0.20/32"), address(3, "10.60.0.5/24")],
        ..NamespaceFact::default()
    };
    node.snapshot.namespaces =
        Arc::new(vec![OfNamespace { path: path.clone(), told: Observed::Value(namespace) }]);
    let routes =
        vec![route("0.0.0.0/0", Some("10.60.0.1"), 3), route("10.42.0.0/16", Some("169.254.1.1"), 2)];
    let inside = InsideFacts {
        routes_ipv4: Observed::Value(Bounded { rows: routes, ..Bounded::default() }),
        routes_ipv6: Observed::Value(Bounded::default()),
        ..InsideFacts::default()
    };
    node.snapshot.inside = Arc::new(vec![PodNetwork { path, told: Observed::Value(inside) }]);
}
