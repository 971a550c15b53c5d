//! Failures of WireGuard.

use super::{
    Failure,
    Missed::{Api, Elsewhere, Harmless, Probing},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    found(
        "The backend was changed to WireGuard, and VXLAN goes on in clear",
        &["dataplane-stale-device", "dataplane-bypassed", "intent-backend-differs"],
    ),
    found("The kernel has no WireGuard", &["intent-wireguard-impossible"]),
    found("Thousands of peers have no allowed IPs", &["wireguard-allowed-ips-missing"]),
    found("WireGuard's UDP port is blocked", &["wireguard-never-handshook"]),
    found("A VPN has the UDP port that flannel's WireGuard takes", &["wireguard-port-taken"]),
    found("A peer has a new key and is known by the old one", &["wireguard-handshake-old"]),
    found("A peer is behind NAT, or announces a private address", &["wireguard-never-handshook"]),
    found("A clock was set back, and handshakes are ignored", &["wireguard-handshake-old"]),
    found(
        "Two peers claim one network",
        &["wireguard-allowed-ips-overlap", "wireguard-source-refused", "wireguard-no-peer"],
    ),
    found("No peer has the addresses that packets go to", &["wireguard-no-peer"]),
    found("A peer has no endpoint", &["wireguard-endpoint-missing"]),
    found(
        "Packets queue up for a handshake that does not come",
        &["wireguard-never-handshook", "wireguard-handshake-old"],
    ),
    found("WireGuard's device is left after a change back", &["dataplane-stale-device"]),
    partly(
        "Some nodes have the new backend, others the old one",
        &["intent-backend-differs"],
        Api,
        "the backend of each node is an annotation there",
    ),
    found("One address family is in the tunnel, the other is not", &["intent-families-differ"]),
    missed("Encryption takes all of a CPU", Probing, "it is a limit that shows under load only"),
    found(
        "The rule or the table that leads packets to Calico's WireGuard device is gone",
        &["wireguard-rule-missing"],
    ),
    found("Pods' packets leave the NIC in clear beside WireGuard", &["dataplane-pods-in-clear"]),
    missed(
        "Endpoints are external addresses although internal ones are wanted",
        Api,
        "which addresses a node has stands there",
    ),
    partly(
        "Endpoints are of a family that other nodes do not reach",
        &["wireguard-never-handshook", "peer-unrouted"],
        Elsewhere,
        "a route of the family that leads nowhere looks like any other",
    ),
    missed(
        "The last handshake with an idle peer is old",
        Harmless,
        "there is a handshake only when there is something to send",
    ),
    found("Traffic to a pod that is gone leaves by the default gateway", &["dataplane-pods-in-clear"]),
];
