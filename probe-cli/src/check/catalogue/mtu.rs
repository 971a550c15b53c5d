//! Failures of packet sizes.

use super::{
    Failure,
    Missed::{Elsewhere, Probing, Unread},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    found(
        "Pods send more than WireGuard carries (Canal's 1450)",
        &["mtu-pod-exceeds-tunnel", "mtu-planned-exceeded"],
    ),
    found("Pods send more than VXLAN over IPv6 carries", &["mtu-pod-exceeds-tunnel"]),
    found(
        "Pods send packets that are too big for their tunnel",
        &["mtu-pod-exceeds-tunnel", "mtu-packets-too-big"],
    ),
    found("Pods have jumbo frames, and the tunnel has less", &["mtu-pod-exceeds-tunnel"]),
    found("Pods keep the MTU of an earlier backend", &["mtu-pod-exceeds-tunnel", "mtu-pods-differ"]),
    found("Some pods are older than a change of the MTU", &["mtu-pods-differ"]),
    found("A configured MTU is exceeded by the tunnel over IPv6", &["mtu-tunnel-exceeds-configured"]),
    found("The NIC's MTU was lowered under the tunnel", &["mtu-tunnel-exceeds-underlay"]),
    found("A version of flannel gives its WireGuard device the NIC's MTU", &["mtu-tunnel-exceeds-underlay"]),
    partly(
        "The path between nodes takes less than the NICs",
        &["mtu-path-smaller", "mtu-path-measured-smaller", "mtu-black-hole"],
        Probing,
        "without --probe, what no router has said by ICMP yet is not known",
    ),
    found("A jumbo network carries small packets only", &["mtu-underlay-wasted"]),
    found("A path for IPv6 has less than 1280 bytes", &["mtu-ipv6-too-small"]),
    missed("Nodes have NICs of different MTUs", Elsewhere, "each node is right by itself"),
    partly(
        "A firewall drops the ICMP messages that path MTU discovery needs",
        &["mtu-black-hole"],
        Probing,
        "with --probe: a large packet gets no answer",
    ),
    partly(
        "The path takes less in one direction only",
        &["mtu-black-hole"],
        Probing,
        "with --probe, and only where large answers are lost: those of a Linux node may be cut",
    ),
    partly(
        "TCP finds the size by itself, and UDP and ping do not",
        &["mtu-black-hole", "mtu-pod-exceeds-tunnel"],
        Probing,
        "with --probe, and where pods exceed the tunnel: tcp_mtu_probing of pods is named with it",
    ),
    missed(
        "Cilium leaves no room for WireGuard beside its tunnel",
        Unread,
        "that packets of a tunnel are encrypted as well stands in Cilium's maps",
    ),
    missed(
        "Calico takes its MTU from a NIC that carries no pods' packets",
        Unread,
        "which NICs its pattern matches is known to Calico; pods that are too small by 1000 bytes are found",
    ),
    found(
        "Outer packets leave or arrive as fragments",
        &["mtu-tunnel-exceeds-underlay", "mtu-outer-fragments"],
    ),
];
