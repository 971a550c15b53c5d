//! Failures of SR-IOV.

use super::{
    Failure,
    Missed::{Api, Doubt, Unread},
    found, missed, partly,
};

pub(super) const FAILURES: &[Failure] = &[
    missed(
        "The firmware offers no virtual functions",
        Doubt,
        "most NICs have none, and nothing on the node asks for some",
    ),
    missed("Virtual functions cannot be made for want of address space", Unread, "the kernel's log"),
    missed(
        "There are fewer virtual functions than the operator's policy wants",
        Api,
        "the policy stands there",
    ),
    found("vfio-pci takes no device, since the IOMMU is off", &["vf-iommu-missing"]),
    partly(
        "A virtual function has another driver than its network expects",
        &["vf-pool-empty"],
        Api,
        "what a network expects stands in its NetworkAttachmentDefinition",
    ),
    found("A PF or the link of a virtual function is down", &["vf-link-down"]),
    found("Spoof checking drops what a pod sends", &["vf-mac-not-allowed"]),
    partly(
        "A virtual function without trust may not be promiscuous or have more addresses",
        &["vf-mac-not-allowed"],
        Unread,
        "the kernel's log",
    ),
    found("A pod tags what its PF tags already", &["vf-vlan-tagged-twice"]),
    found("A rate limit throttles a pod", &["vf-rate-limited"]),
    found("A virtual function sends more than its PF takes", &["vf-mtu-exceeds-pf"]),
    found("sriov-cni remembers a pod that is gone", &["vf-allocation-stale"]),
    missed("A network does not name its resource", Api, "it stands in its NetworkAttachmentDefinition"),
    missed("The node's label for the operator is missing or misspelled", Api, "labels stand there"),
    found("SR-IOV is the network of all pods", &["cni-sriov-default"]),
    missed(
        "RDMA devices are shared where a network wants them for itself",
        Unread,
        "the mode of the RDMA subsystem",
    ),
    found("The node configures virtual functions that pods may get", &["vf-addressed-on-node"]),
    found("Two virtual functions of a PF have one MAC address", &["vf-mac-shared"]),
    found("A virtual function is lost after its pod ended", &["vf-driver-missing"]),
    found("Two pods are said to have one virtual function", &["vf-pod-disputed"]),
    missed(
        "The device plugin offers another number than there is after a restart",
        Unread,
        "what the kubelet may give away",
    ),
    missed("The number of an IOMMU group changed with a reboot", Unread, "the number that a pod was given"),
    found("A pool selects nothing: vendor, device, driver or address", &["vf-pool-empty"]),
    found("A pool names a PF that has another name by now", &["vf-pool-empty"]),
    found("Two pools select the same virtual functions", &["vf-pools-overlap"]),
];
