//! Failures of pods' addresses and routes, of CNI's files, of configuration, and of both address families.

use super::{
    Failure,
    Missed::{Api, Harmless, Unread},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    found("host-local keeps addresses of pods that are gone", &["pod-ipam-leaked"]),
    found("host-local gave an address twice", &["pod-address-twice"]),
    missed(
        "A file in libcni's cache is empty after a crash, and a pod cannot end",
        Unread,
        "such files are noted by `show pods`, and a sandbox that does not end by the runtime",
    ),
    missed(
        "The cache of libcni has hundreds of thousands of files",
        Unread,
        "how many files are left out is noted by `show pods`",
    ),
    found(
        "Another CNI's configuration comes first by name",
        &["cni-first-file-foreign", "pod-address-outside"],
    ),
    found("The first CNI configuration cannot be used", &["cni-file-broken"]),
    found("No CNI configuration was written yet", &["cni-configuration-missing"]),
    found("cluster-cidr was not passed on to the CNI", &["intent-cluster-cidr-differs"]),
    found("A blackhole route of an earlier pod network drops packets", &["peer-blackholed"]),
    found("Routes to nodes that are gone are left", &["peer-route-without-neighbour"]),
    found(
        "The node has got another pod network, and bridge and tunnel keep the old one",
        &["intent-pod-cidr-differs"],
    ),
    found("A pod has no route on its own node", &["pod-unrouted"]),
    found("An end of a pod's veth, or the pods' bridge, was set down", &["pod-interface-down"]),
    found(
        "A network manager takes pods' veths out of their bridge, or its address away",
        &["pod-gateway-unreachable"],
    ),
    found("proxy_arp is off where a pod's gateway is answered for", &["pod-gateway-unanswered"]),
    found("A route drops packets to pods of another node, or to some of them", &["peer-blackholed"]),
    found("A policy rule drops pods' packets, or sends them past the tunnel", &["dataplane-pods-ruled-away"]),
    found("A more specific route leads some of a node's pods past the tunnel", &["dataplane-bypassed"]),
    found(
        "A pod has lost its address or its default route",
        &["pod-address-missing", "pod-default-route-missing"],
    ),
    missed(
        "A setting is missing in Calico's CNI configuration",
        Unread,
        "which settings its version needs is known to Calico",
    ),
    found("The configured CNI is not known", &["intent-cni-unknown"]),
    found("The configured list of CNIs is refused", &["intent-cni-refused"]),
    found("A manifest has no apiVersion, and counts for nothing", &["intent-manifest-ignored"]),
    found("A HelmChartConfig is for no chart", &["intent-chart-unmatched"]),
    found("IPv6 was added to a cluster that was made without", &["cni-range-without-network"]),
    partly(
        "One side only has both address families, or node-ip names one",
        &["intent-families-differ"],
        Api,
        "the addresses of other nodes stand there",
    ),
    missed("Network policies forget the nodes' IPv6 addresses", Api, "policies stand there"),
    missed("Cilium has no tunnel with IPv6 only", Harmless, "RKE2's documentation asks for it"),
];
