//! Failures of secondary networks.

use super::{
    Failure,
    Missed::{Api, Doubt, Harmless},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    found(
        "Multus has nothing behind it, or is not the first in `cni`",
        &["cni-multus-alone", "intent-cni-refused"],
    ),
    found("Multus is configured, and its configuration is not there", &["intent-multus-missing"]),
    found(
        "Multus was removed, and its configuration was left",
        &["cni-multus-daemon-missing", "cni-multus-kubeconfig"],
    ),
    found("Multus waits for a file of a CNI that does not write it", &["cni-multus-waits"]),
    found("Multus's token has expired", &["cni-multus-kubeconfig"]),
    found("After a reboot pods lack their secondary networks", &["pod-network-missing"]),
    partly(
        "Multus took the wrong configuration for that of the cluster network",
        &["cni-first-file-foreign", "cni-sriov-default"],
        Doubt,
        "a delegate that does not connect nodes may be meant",
    ),
    found("Multus delegates to itself", &["intent-multus-nested"]),
    missed(
        "`clusterNetwork` of Multus names nothing",
        Api,
        "a name without a file may be a NetworkAttachmentDefinition's",
    ),
    missed("A pod on a macvlan network does not reach its own node", Harmless, "macvlan is made so"),
    partly(
        "The device below a macvlan or ipvlan is down, or takes no other addresses",
        &["pod-parent-down"],
        Doubt,
        "that a hypervisor drops frames of other MAC addresses shows nowhere on the node",
    ),
    missed("Whereabouts's pool is full of addresses of pods that are gone", Api, "addresses are kept there"),
    partly(
        "Two pods have one address of a secondary network",
        &["pod-address-twice"],
        Api,
        "pods of other nodes have their addresses there",
    ),
    missed("Reservations of overlapping ranges are left behind", Api, "they are kept there"),
    found("Whereabouts calls the node otherwise than Kubernetes", &["cni-node-name-differs"]),
    found("Whereabouts has no kubeconfig, or one of other paths", &["cni-whereabouts-kubeconfig"]),
    found("Whereabouts's token has expired", &["cni-whereabouts-kubeconfig"]),
    found("Node slices have no network name", &["pod-slice-unnamed"]),
    found("A pod's default route leaves by a secondary network", &["pod-default-route-secondary"]),
    found("A pod's VLAN is not on the bridge's uplink", &["pod-vlan-without-uplink"]),
];
