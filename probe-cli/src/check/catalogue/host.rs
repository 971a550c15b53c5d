//! Failures of the node's settings and of services beside the CNI.

use super::{
    Failure,
    Missed::{Doubt, Traffic, Unread},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    found("NetworkManager manages interfaces of the CNI", &["host-networkmanager-manages"]),
    found("nm-cloud-setup writes rules that take pods' packets", &["host-cloud-setup-enabled"]),
    found("systemd-networkd deletes the CNI's routes and rules", &["host-networkd-deletes-routes"]),
    found("firewalld or ufw drops the overlay", &["host-firewall-active"]),
    found("The kernel does not forward IPv4", &["host-forwarding-off"]),
    found("The kernel does not forward IPv6", &["host-forwarding-off"]),
    found("One device does not forward what comes in by it", &["host-forwarding-off"]),
    found("Packets on pods' bridge do not pass iptables", &["host-bridge-netfilter-missing"]),
    found("The reverse path filter drops packets", &["host-reverse-path-filter"]),
    found("The connection tracking table is full", &["host-conntrack-full"]),
    found("Connections race for one source port", &["host-conntrack-insert-failed"]),
    found("A node without a default route, which pods' gateway needs", &["host-default-route-missing"]),
    found("netfilter's FORWARD chain drops pods' packets", &["dataplane-packets-filtered"]),
    missed("iptables and nftables have rules of Kubernetes at the same time", Unread, "rules of netfilter"),
    found("The pods' or services' network overlaps the node's", &["host-network-overlaps-pods"]),
    missed(
        "A module that netfilter's rules need is not installed",
        Doubt,
        "which of them the rules need is not known",
    ),
    missed("Calico's agent is not ready", Unread, "its health endpoint is not asked"),
    found("localhost has no IPv6 address with IPv6 only", &["host-localhost-ipv6-missing"]),
    found(
        "Router advertisements are not taken any more while forwarding",
        &["host-router-advertisements-ignored"],
    ),
    partly(
        "TCP segments arrive damaged",
        &["host-checksum-errors"],
        Traffic,
        "who sent them is in the packets",
    ),
];
