//! Failures of tunnels, of what carries them, and of the tables about other nodes.

use super::{
    Failure,
    Missed::{Doubt, Elsewhere, Harmless, Probing, Traffic, Unread},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    found(
        "The kernel computes checksums of VXLAN packets wrongly (before Linux 5.7)",
        &["host-checksum-offload-broken", "host-checksum-errors"],
    ),
    partly(
        "A NIC or hypervisor computes inner checksums wrongly (vmxnet3)",
        &["host-checksum-errors"],
        Elsewhere,
        "the receiver counts them; the sender's offloads are no fault by themselves",
    ),
    missed(
        "A hypervisor or a fabric takes the tunnel's UDP port for its own",
        Traffic,
        "packets leave, and none comes back",
    ),
    missed(
        "TCP over VXLAN is slow on some kernels with checksum offload",
        Probing,
        "throughput has to be measured",
    ),
    missed(
        "Offloads were turned off needlessly",
        Doubt,
        "the same setting is the remedy where checksums are wrong",
    ),
    partly(
        "A firewall drops the tunnel's packets",
        &["host-firewall-active", "wireguard-never-handshook", "dataplane-packets-filtered"],
        Elsewhere,
        "between the nodes there is nothing but silence",
    ),
    missed(
        "A firewall refuses the tunnel's packets",
        Traffic,
        "ICMP messages say so, and many other senders get them as well",
    ),
    found("Two overlays want one UDP port", &["dataplane-port-shared"]),
    found("A second VXLAN device holds the port, and the CNI's stays down", &["dataplane-port-shared"]),
    found("Nodes have different VNIs", &["intent-vni-differs", "dataplane-vni-unknown"]),
    partly(
        "Nodes have different UDP ports",
        &["intent-port-differs"],
        Traffic,
        "a node whose files and devices agree refuses what comes in for other ports, as it does for anybody",
    ),
    found("Cloned machines have one VTEP MAC address", &["peer-vtep-mac-shared", "peer-vtep-mac-duplicate"]),
    found("Other nodes know an old MAC address of the tunnel", &["peer-old-mac", "peer-vtep-mac-stale"]),
    found(
        "The tunnel's MAC address was changed, and its neighbours are gone",
        &["peer-route-without-neighbour"],
    ),
    found("A peer has another address by now", &["peer-underlay-silent"]),
    found("A peer's VTEP has no FDB entry", &["peer-neighbour-without-fdb", "peer-packets-without-fdb"]),
    found("A peer's gateway has no neighbour entry", &["peer-route-without-neighbour"]),
    found("The route to a peer's pods is missing", &["peer-fdb-without-route", "dataplane-pods-in-clear"]),
    found(
        "The tunnel was set down, and lost its routes",
        &["dataplane-tunnel-down", "peer-fdb-without-route"],
    ),
    found(
        "The tunnel was deleted and made again without its address and entries",
        &["dataplane-tunnel-unconfigured", "peer-family-missing"],
    ),
    found("Cilium's host device was set down, and lost its routes", &["dataplane-host-device-down"]),
    found("Cilium's routes lead to a tunnel that is not there", &["dataplane-missing"]),
    found(
        "The tunnel is gone with the NIC that it was made on",
        &["dataplane-missing", "peer-fdb-without-route"],
    ),
    found("The NIC below the tunnel is down or has no carrier", &["dataplane-underlay-down"]),
    found("No route leads to the other nodes themselves", &["peer-unrouted"]),
    found(
        "The tunnel uses the wrong NIC or address",
        &["intent-node-address-differs", "intent-interface-differs", "peer-destination-shared"],
    ),
    found("The node's address changed under the tunnel", &["dataplane-source-not-here"]),
    found("The tunnel over IPv6 uses another address than node-ip's", &["intent-node-address-differs"]),
    found("The tunnel is bound to a device that leads nowhere", &["dataplane-underlay-dummy"]),
    partly(
        "A test of faults has left netem on an interface",
        &["dataplane-netem"],
        Unread,
        "below another qdisc (prio, mq) it is a class of that",
    ),
    found(
        "flannel finds the default routes of both families on different NICs",
        &["dataplane-default-routes-differ"],
    ),
    missed(
        "A VXLAN device drops a few packets now and then",
        Harmless,
        "IPv6 multicast has no FDB entry; rates are not judged",
    ),
    found("Calico drops VXLAN packets of a node that it does not know", &["dataplane-packets-filtered"]),
    found("The kernel drops packets of the overlay for another reason", &["dataplane-packets-dropped"]),
    found("The kernel has no VXLAN", &["intent-vxlan-impossible"]),
    partly(
        "An update of one family of a peer was missed",
        &["peer-family-missing"],
        Elsewhere,
        "only the other node knows which of its two entries is old",
    ),
    partly(
        "One core does all the work of receiving",
        &["host-receive-queue-drops"],
        Probing,
        "without drops it is a limit that shows under load only",
    ),
    missed(
        "Outer packets without UDP checksums are slow to receive",
        Doubt,
        "it is the default of some CNIs, and most NICs do not mind",
    ),
    missed(
        "The kernel crashes on forwarded VXLAN packets",
        Unread,
        "its log; after the crash nothing is left to see",
    ),
    found("Direct routing is configured and not used", &["intent-direct-routing-unused"]),
    found("flannel's user space backend is in use", &["dataplane-udp-backend"]),
    found(
        "Another backend carries packets than the configured one",
        &["intent-backend-differs", "dataplane-bypassed"],
    ),
    found("Another CNI's data plane than the configured one is in the kernel", &["intent-cni-differs"]),
    found("A tunnel of an earlier configuration is left", &["dataplane-stale-device"]),
    found("Routes of an earlier cluster are left on the tunnel", &["peer-route-without-neighbour"]),
    found("A peer has an address of this node", &["peer-own-address"]),
    found("A next hop over IPv6 is a privacy address that has expired", &["peer-underlay-silent"]),
    found("Calico or flannel carries IPv4, and IPv6 has no peer", &["peer-family-missing"]),
    missed(
        "Cilium's native routing sends pods' packets to the default gateway",
        Elsewhere,
        "whether other nodes are reached by the gateway is known there",
    ),
    partly(
        "The node's own pod network is also routed to another node",
        &["host-network-overlaps-pods"],
        Doubt,
        "Calico lends single addresses of a block to other nodes in the same way",
    ),
    partly(
        "One member of a bond or of several paths loses packets",
        &["mtu-flows-differ"],
        Probing,
        "with --probe --flows 16, where other nodes answer TCP segments to closed ports",
    ),
];
