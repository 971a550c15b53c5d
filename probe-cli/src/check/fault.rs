//! The one list of faults that a lab can be given (`lab fault`), each with the check that must find it; and the checks that no lab
//! can provoke, with the reason. What a fault changes is known by the lab.

/// The data plane that a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// It is made alike on all of them.
    Any,
    /// VXLAN.
    Vxlan,
    /// WireGuard.
    Wireguard,
}

/// A fault of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of its own")]
pub struct Fault {
    /// Its name on the command line.
    pub name: &'static str,
    /// The check that finds it.
    pub raises: &'static str,
    /// What is done, in a few words.
    pub what: &'static str,
    /// See [`Plane`].
    pub plane: Plane,
    /// Checks that find the same fault as well, of their own right.
    pub also: &'static [&'static str],
    /// It shows while packets are sent only (`lab load`).
    pub needs_traffic: bool,
    /// It shows to probes only (`check --probe`).
    pub needs_probes: bool,
    /// It shows only on kernels without WireGuard.
    pub needs_old_kernel: bool,
    /// It shows on kernels from this one on: major and minor number.
    pub since_kernel: Option<(u32, u32)>,
    /// The commands of the finding's fix mend all of it, without anybody else.
    pub is_mended_by_paste: bool,
}

const fn fault(plane: Plane, raises: &'static str, name: &'static str, what: &'static str) -> Fault {
    Fault {
        name,
        raises,
        what,
        plane,
        also: &[],
        needs_traffic: false,
        needs_probes: false,
        needs_old_kernel: false,
        since_kernel: None,
        is_mended_by_paste: false,
    }
}

const fn any(raises: &'static str, name: &'static str, what: &'static str) -> Fault {
    fault(Plane::Any, raises, name, what)
}

const fn vxlan(raises: &'static str, name: &'static str, what: &'static str) -> Fault {
    fault(Plane::Vxlan, raises, name, what)
}

const fn wireguard(raises: &'static str, name: &'static str, what: &'static str) -> Fault {
    fault(Plane::Wireguard, raises, name, what)
}

impl Fault {
    const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    const fn with_traffic(self) -> Self {
        Self { needs_traffic: true, ..self }
    }

    const fn with_probes(self) -> Self {
        Self { needs_probes: true, ..self }
    }

    const fn mended_by_paste(self) -> Self {
        Self { is_mended_by_paste: true, ..self }
    }

    const fn on_old_kernels(self) -> Self {
        Self { needs_old_kernel: true, ..self }
    }

    const fn since(self, major: u32, minor: u32) -> Self {
        Self { since_kernel: Some((major, minor)), ..self }
    }
}

/// All faults, in the order of the checks that find them.
pub const FAULTS: &[Fault] = &[
    any("intent-cni-differs", "config-other-cni", "config.yaml names another CNI"),
    any("intent-backend-differs", "config-other-backend", "the manifest and net-conf.json name host-gw"),
    any("intent-families-differ", "config-one-family", "the configuration names IPv4 only"),
    any("intent-cluster-cidr-differs", "config-other-cluster-cidr", "config.yaml has another cluster-cidr"),
    any("intent-pod-cidr-differs", "subnet-env-differs", "flannel's subnet.env has another pod network"),
    any("intent-node-address-differs", "config-other-node-ip", "config.yaml has another node-ip"),
    any("intent-interface-differs", "config-other-interface", "the manifest names eth1 for flannel"),
    vxlan("intent-vni-differs", "config-other-vni", "net-conf.json has another VNI"),
    any("intent-port-differs", "config-other-port", "net-conf.json has another UDP port"),
    vxlan("intent-wireguard-impossible", "config-wireguard", "the configuration wants WireGuard")
        .on_old_kernels(),
    vxlan("intent-direct-routing-unused", "direct-routing-wanted", "net-conf.json asks for direct routing"),
    any("intent-manifest-ignored", "manifest-without-version", "the manifest has no apiVersion"),
    any(
        "intent-chart-unmatched",
        "manifest-in-other-namespace",
        "the manifest has another namespace than its chart",
    ),
    any("intent-cni-unknown", "config-unknown-cni", "config.yaml has cni: multus+canal"),
    any("intent-cni-refused", "config-refused-cni", "config.yaml has cni: [canal, multus]"),
    any("intent-multus-missing", "multus-missing", "config.yaml wants Multus, which is not installed"),
    any("intent-multus-nested", "multus-nested", "Multus delegates to itself"),
    vxlan("dataplane-missing", "tunnels-deleted", "the tunnel devices are deleted"),
    any("dataplane-underlay-down", "nic-down", "the NIC is set down"),
    any("dataplane-underlay-down", "nic-without-carrier", "the NIC's port in the underlay is set down"),
    vxlan("dataplane-tunnel-down", "tunnel-down", "the tunnel device is set down"),
    vxlan(
        "dataplane-tunnel-unconfigured",
        "tunnel-made-again",
        "the tunnel is deleted and made again, empty",
    ),
    vxlan("dataplane-stale-device", "old-device-left", "a VXLAN device of another CNI is left")
        .mended_by_paste(),
    wireguard(
        "dataplane-stale-device",
        "old-backend-left",
        "flannel.1 takes packets that WireGuard would encrypt",
    )
    .mended_by_paste(),
    wireguard("dataplane-bypassed", "foreign-tunnel", "a tunnel of somebody takes a peer's pod network")
        .also(&["dataplane-stale-device"]),
    any("dataplane-bypassed", "specific-route-added", "a route to half of a peer's pods leaves by the NIC")
        .mended_by_paste(),
    any("dataplane-pods-ruled-away", "pods-ruled-away", "a policy rule drops what pods of this node send")
        .mended_by_paste(),
    vxlan("dataplane-source-not-here", "node-address-changed", "the NIC gets another address"),
    vxlan("dataplane-port-shared", "port-taken", "another VXLAN device takes the tunnel's UDP port"),
    any(
        "dataplane-default-routes-differ",
        "default-routes-differ",
        "the IPv6 default route leaves by another device",
    ),
    any("mtu-tunnel-exceeds-underlay", "nic-mtu-lowered", "the NIC's MTU is lowered under the tunnel"),
    any("mtu-tunnel-exceeds-configured", "config-smaller-mtu", "net-conf.json has a smaller MTU"),
    any("mtu-pod-exceeds-tunnel", "pod-mtu-too-large", "all pods' interfaces get a larger MTU"),
    any("mtu-pods-differ", "pod-mtu-differs", "one pod's interface gets a smaller MTU"),
    vxlan("mtu-ipv6-too-small", "tunnel-mtu-below-ipv6", "the IPv6 tunnel's MTU is set below 1280"),
    any(
        "mtu-black-hole",
        "underlay-drops-large",
        "the NIC's port in the underlay drops large packets silently",
    )
    .with_probes(),
    any("mtu-underlay-wasted", "nic-with-jumbo-frames", "NIC and tunnels get jumbo MTUs, pods do not"),
    vxlan("peer-route-without-neighbour", "neighbour-missing", "a peer's neighbour entry is deleted"),
    vxlan("peer-route-without-neighbour", "tunnel-mac-changed", "the tunnel gets another MAC address"),
    vxlan(
        "peer-route-without-neighbour",
        "old-route-left",
        "a route of another cluster is left on the tunnel",
    )
    .mended_by_paste(),
    vxlan("peer-neighbour-without-fdb", "fdb-entry-missing", "a peer's FDB entry is deleted"),
    vxlan("peer-fdb-without-route", "route-missing", "the route to a peer's pods is deleted"),
    vxlan("peer-vtep-mac-shared", "vtep-mac-shared", "two peers have one VTEP MAC address"),
    vxlan("peer-destination-shared", "node-address-shared", "two peers have one node address"),
    vxlan("peer-own-address", "old-address-left", "the tunnel keeps an address of a peer's pod network")
        .mended_by_paste(),
    any("peer-underlay-silent", "peer-silent", "a peer's port in the underlay is set down"),
    any("peer-unrouted", "peer-unrouted", "the node drops what goes to a peer's address").mended_by_paste(),
    vxlan("peer-family-missing", "family-without-peers", "the IPv6 tunnel loses all its peers"),
    any(
        "peer-blackholed",
        "pod-network-dropped",
        "a blackhole route drops what goes to half of a peer's pods",
    )
    .mended_by_paste(),
    any("peer-blackholed", "old-blackhole-left", "the blackhole route of an earlier pod network is left")
        .mended_by_paste(),
    vxlan(
        "peer-old-mac",
        "tunnel-mac-unknown",
        "the tunnel gets another MAC address, which its peers are not told",
    )
    .with_traffic()
    .since(5, 19),
    wireguard(
        "wireguard-never-handshook",
        "peer-port-wrong",
        "a peer's endpoint has a port nobody listens on",
    )
    .with_traffic(),
    wireguard("wireguard-endpoint-missing", "endpoint-missing", "a peer has no endpoint"),
    wireguard("wireguard-allowed-ips-missing", "old-keys-left", "peers of earlier keys are left")
        .mended_by_paste(),
    wireguard(
        "wireguard-allowed-ips-overlap",
        "allowed-ips-overlap",
        "a peer claims another one's pod network",
    ),
    wireguard("wireguard-no-peer", "peer-missing", "a peer is removed").with_traffic(),
    wireguard("wireguard-source-refused", "source-refused", "a peer's allowed IPs leave its pods out")
        .with_traffic(),
    any("host-forwarding-off", "forwarding-off", "the node does not forward IPv4").mended_by_paste(),
    vxlan("host-forwarding-off", "tunnel-forwarding-off", "the tunnel does not forward what comes in by it")
        .mended_by_paste(),
    any("host-forwarding-off", "ipv6-forwarding-off", "the node does not forward IPv6").mended_by_paste(),
    any(
        "host-reverse-path-filter",
        "reverse-path-strict",
        "strict rp_filter, and a peer's pod is routed by a wrong device",
    )
    .also(&["dataplane-bypassed"])
    .with_traffic(),
    any("host-default-route-missing", "default-route-missing", "the IPv4 default route is deleted")
        .mended_by_paste(),
    any(
        "host-router-advertisements-ignored",
        "router-advertisements-ignored",
        "accept_ra is 1 while forwarding, and the IPv6 default route is gone",
    )
    .mended_by_paste(),
    any(
        "host-networkmanager-manages",
        "networkmanager-manages",
        "files say that NetworkManager runs, and none tells it to leave the CNI's interfaces alone",
    ),
    any("host-cloud-setup-enabled", "cloud-setup-enabled", "nm-cloud-setup is enabled"),
    any("host-firewall-active", "firewall-active", "ufw is enabled"),
    any("host-network-overlaps-pods", "nic-in-pod-network", "the NIC gets an address of the pods' network"),
    any(
        "host-localhost-ipv6-missing",
        "localhost-without-ipv6",
        "with IPv6 only, /etc/hosts has no localhost for ::1",
    ),
    any("pod-address-twice", "pod-address-twice", "a pod gets another pod's address"),
    any("pod-address-outside", "pod-address-outside", "a pod gets an address of another network"),
    any("pod-slice-unnamed", "slice-unnamed", "a pod's Whereabouts network has node slices without a name"),
    any(
        "pod-default-route-secondary",
        "pod-default-route-secondary",
        "a pod's default route leaves by a second interface",
    ),
    any("pod-unrouted", "pod-route-missing", "the route to a pod is deleted"),
    any("pod-address-missing", "pod-address-deleted", "a pod's address is deleted in the pod"),
    any(
        "pod-default-route-missing",
        "pod-default-route-deleted",
        "a pod's default route is deleted in the pod",
    ),
    any("pod-gateway-unanswered", "pod-proxy-arp-off", "the node's end of a pod's veth does not answer ARP")
        .mended_by_paste(),
    any("pod-interface-down", "pod-interface-down", "the node's end of a pod's veth is set down"),
    any(
        "pod-parent-down",
        "pod-parent-down",
        "a pod gets a macvlan interface above a device of the node, which is set down",
    ),
    any("cni-configuration-missing", "cni-configuration-missing", "the runtime's CNI directory is empty"),
    any("cni-file-broken", "cni-file-broken", "the first CNI file is half written"),
    any("cni-first-file-foreign", "cni-file-foreign", "a file of another CNI comes first"),
    any("cni-multus-alone", "multus-alone", "Multus has no delegate"),
    any("cni-multus-kubeconfig", "multus-without-kubeconfig", "Multus's kubeconfig is not there"),
    any("cni-multus-waits", "multus-waits", "Multus waits for a file that nobody writes"),
    any("cni-multus-daemon-missing", "multus-without-daemon", "the thick plugin of Multus has no daemon"),
    any("cni-sriov-default", "sriov-as-default", "SR-IOV is the default network"),
    any(
        "cni-whereabouts-kubeconfig",
        "whereabouts-without-kubeconfig",
        "Whereabouts's kubeconfig is not there",
    ),
    any("cni-node-name-differs", "node-name-differs", "Whereabouts has another name for the node"),
    any(
        "cni-range-without-network",
        "ipv6-range-without-network",
        "with IPv4 only, the CNI's file asks for an IPv6 network of the node",
    ),
];

/// Checks that no fault of a lab raises: why, and what proves them instead.
pub const WITHOUT_FAULT: &[(&str, &str, &str)] = &[
    ("intent-vxlan-impossible", "the lab's own tunnels need VXLAN, and so do those of every test", MADE_UP),
    ("dataplane-underlay-dummy", "not every kernel of the tests has dummy devices", REAL_NODE_IN_MACHINE),
    ("dataplane-netem", "not every kernel of the tests has netem", REAL_NODE_IN_MACHINE),
    ("dataplane-host-device-down", "the lab has no Cilium", REAL_CILIUM),
    ("dataplane-udp-backend", "a process of flannel's holds the device", REAL_TUN),
    ("dataplane-vni-unknown", COUNTED, REAL_PACKETS),
    ("dataplane-packets-filtered", COUNTED, REAL_PACKETS),
    ("dataplane-packets-dropped", COUNTED, REAL_PACKETS),
    ("dataplane-pods-in-clear", COUNTED, REAL_PACKETS),
    ("mtu-packets-too-big", COUNTED, REAL_PACKETS),
    ("mtu-outer-fragments", COUNTED, REAL_PACKETS),
    ("mtu-path-smaller", "the lab has no router between its nodes", REAL_ROUTER),
    ("mtu-flows-differ", "the lab has one way between its nodes", REAL_EQUAL_ROUTES),
    ("mtu-path-measured-smaller", "the lab has no router between its nodes", REAL_ROUTER),
    ("mtu-planned-exceeded", PLANNED, REAL_PLAN),
    ("peer-vtep-mac-duplicate", COUNTED, REAL_PACKETS),
    ("peer-vtep-mac-stale", COUNTED, REAL_PACKETS),
    ("peer-packets-without-fdb", COUNTED, REAL_PACKETS),
    (
        "wireguard-handshake-old",
        "a session lasts three minutes, and a test would take longer than that",
        MADE_UP,
    ),
    ("wireguard-port-taken", PLANNED, REAL_PLAN),
    ("wireguard-rule-missing", "the lab has no Calico beside its tunnels", REAL_CALICO),
    ("host-bridge-netfilter-missing", "the lab's pods are on no bridge", REAL_BRIDGE),
    ("host-conntrack-full", "it takes a quarter of a million connections", REAL_CONNTRACK),
    ("host-conntrack-insert-failed", "it takes source NAT that runs out of ports", REAL_CONNTRACK),
    (
        "host-receive-queue-drops",
        "the queues are those of the whole machine: what overflows them loses packets of others",
        MADE_UP,
    ),
    ("host-checksum-errors", "it takes somebody who sends wrong checksums", REAL_SEGMENTS),
    ("host-checksum-offload-broken", "it takes a kernel before 5.7", MADE_UP),
    ("host-networkd-deletes-routes", "the lab's CNI has neither routes on NICs nor rules", REAL_CILIUM),
    ("pod-ipam-leaked", "it takes a container runtime", REAL_RUNTIME),
    ("pod-network-missing", "it takes a container runtime", REAL_RUNTIME),
    ("pod-gateway-unreachable", "the lab's pods are on no bridge", REAL_BRIDGE),
    (
        "pod-vlan-without-uplink",
        "not every kernel of the tests has bridges that filter VLANs",
        REAL_NODE_IN_MACHINE,
    ),
    ("vf-link-down", SRIOV, REAL_NIC),
    ("vf-mac-not-allowed", SRIOV, REAL_NIC),
    ("vf-mac-shared", SRIOV, REAL_NIC),
    ("vf-mtu-exceeds-pf", SRIOV, REAL_NIC),
    ("vf-vlan-tagged-twice", SRIOV, REAL_NIC),
    ("vf-rate-limited", SRIOV, REAL_NIC),
    ("vf-driver-missing", SRIOV, REAL_NIC),
    ("vf-pod-disputed", SRIOV, REAL_NIC),
    ("vf-allocation-stale", SRIOV, REAL_NIC),
    ("vf-addressed-on-node", SRIOV, REAL_NIC),
    ("vf-pool-empty", SRIOV, REAL_NIC),
    ("vf-iommu-missing", "the machines with virtual functions are started with their IOMMU on", MADE_UP),
    ("vf-pools-overlap", SRIOV, REAL_NIC),
];

/// Why labs have no faults of virtual functions.
const SRIOV: &str = "it takes a NIC with virtual functions";
/// Why no fault of a lab alone raises what packets show.
const COUNTED: &str = "it takes packets, and programs that see them";
/// Tests that send them.
const REAL_PACKETS: &str = "real packets between namespaces";
/// Why labs have no faults of what is planned.
const PLANNED: &str = "nothing is wrong before the change that is planned";
/// A node as it is before a change.
const REAL_PLAN: &str = "a healthy lab that is asked about a change";
/// Nodes that tests make, and what is on them.
const REAL_BRIDGE: &str = "a real bridge with a pod on it";
const REAL_CALICO: &str = "real WireGuard with Calico's rule, in a virtual machine where the kernel has none";
const REAL_CILIUM: &str = "real devices as Cilium makes them";
const REAL_CONNTRACK: &str = "real packets, and the connection tracking of a node that a test makes";
const REAL_NODE_IN_MACHINE: &str = "a node that a test makes, in a virtual machine where the kernel has none";
const REAL_ROUTER: &str = "a real router that answers with ICMP";
const REAL_EQUAL_ROUTES: &str = "four equal routes, one of which has a smaller MTU";
const REAL_SEGMENTS: &str = "real segments, which a test makes";
const REAL_TUN: &str = "a real tun device, held and not";
/// Pods that a container runtime makes.
const REAL_RUNTIME: &str = "a real container runtime with the reference plugins";
/// Facts that tests make up.
const MADE_UP: &str = "made-up facts only";
/// Tests with a NIC that has virtual functions.
const REAL_NIC: &str = "a real NIC, in a virtual machine";

/// Names of the faults that raise a check.
pub fn faults_of(check: &str) -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().filter(move |fault| fault.raises == check)
}

/// Why no fault raises a check, and what proves it instead; none where one does.
pub fn why_without(check: &str) -> Option<(&'static str, &'static str)> {
    WITHOUT_FAULT.iter().find(|(id, ..)| *id == check).map(|(_, why, place)| (*why, *place))
}
