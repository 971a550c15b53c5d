//! What documents call the values of the model's enums. A variant of another name keeps its word.

use std::net::IpAddr;

use crate::model::{
    Aspect, Basis, Certainty, ChartKind, Condition, Disputed, Encapsulation, Evidence, LinkRole, LinkState,
    PodCidrSource, PodSource, Signal, System, TunnelKind, VfLinkState, VfPodSource, VfTraffic,
};

pub(in crate::report) fn system(system: System) -> &'static str {
    match system {
        System::Canal => "canal",
        System::Rke2Flannel => "rke2-flannel",
        System::Flannel => "flannel",
        System::Calico => "calico",
        System::CalicoEbpf => "calico-ebpf",
        System::Cilium => "cilium",
        System::Unknown => "unknown",
    }
}

pub(in crate::report) fn encapsulation(encapsulation: Encapsulation) -> &'static str {
    match encapsulation {
        Encapsulation::Vxlan => "vxlan",
        Encapsulation::Wireguard => "wireguard",
        Encapsulation::Ipip => "ipip",
        Encapsulation::Geneve => "geneve",
        Encapsulation::Udp => "udp",
        Encapsulation::None => "none",
    }
}

pub(in crate::report) fn tunnel_kind(kind: TunnelKind) -> &'static str {
    encapsulation(kind.into())
}

pub(in crate::report) fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Certain => "certain",
        Certainty::Likely => "likely",
    }
}

pub(in crate::report) fn pod_cidr_source(source: PodCidrSource) -> &'static str {
    match source {
        PodCidrSource::BlackholeRoute => "blackhole-route",
        PodCidrSource::Bridge => "bridge",
        PodCidrSource::HostRoute => "host-route",
        PodCidrSource::TunnelAddress => "tunnel-address",
    }
}

pub(in crate::report) fn link_state(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::NoCarrier => "no-carrier",
        LinkState::Down => "down",
    }
}

pub(in crate::report) fn link_role(role: LinkRole) -> &'static str {
    match role {
        LinkRole::Tunnel => "tunnel",
        LinkRole::Underlay => "underlay",
        LinkRole::BelowUnderlay => "below-underlay",
        LinkRole::DefaultRoute => "default-route",
        LinkRole::Nic => "nic",
        LinkRole::PhysicalFunction => "physical-function",
        LinkRole::VirtualFunction => "virtual-function",
        LinkRole::PodBridge => "pod-bridge",
        LinkRole::HostPair => "host-pair",
        LinkRole::Pod => "pod",
        LinkRole::OtherNamespace => "other-namespace",
    }
}

pub(in crate::report) fn pod_source(source: PodSource) -> &'static str {
    match source {
        PodSource::Cri => "cri",
        PodSource::Libcni => "libcni",
        PodSource::Lab => "lab",
        PodSource::Route => "route",
        PodSource::Bridge => "bridge",
    }
}

pub(in crate::report) fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::CalicoName => "calico-name",
        Evidence::LibcniResult => "libcni-result",
        Evidence::PeerIndex => "peer-index",
        Evidence::LabRegistry => "lab-registry",
        Evidence::Route => "route",
        Evidence::Cri => "cri",
        Evidence::InPod => "in-pod",
        Evidence::Bridge => "bridge",
    }
}

pub(in crate::report) fn disputed(about: Disputed) -> &'static str {
    match about {
        Disputed::HostInterface => "host-interface",
        Disputed::Addresses => "addresses",
    }
}

pub(in crate::report) fn vf_pod_source(source: VfPodSource) -> &'static str {
    match source {
        VfPodSource::SriovCni => "sriov-cni",
        VfPodSource::LibcniDevice => "libcni-device",
        VfPodSource::Kubelet => "kubelet",
        VfPodSource::DeviceInfo => "device-info",
        VfPodSource::Netns => "netns",
    }
}

pub(in crate::report) fn vf_link_state(state: VfLinkState) -> &'static str {
    match state {
        VfLinkState::Auto => "auto",
        VfLinkState::Enable => "enable",
        VfLinkState::Disable => "disable",
    }
}

pub(in crate::report) fn counted_by(traffic: &VfTraffic) -> &'static str {
    match traffic {
        VfTraffic::Ebpf(_) => "ebpf",
        VfTraffic::Interface(_) => "interface",
        VfTraffic::PfDriver(_) => "pf-driver",
        VfTraffic::Sysfs(_) => "sysfs",
        VfTraffic::NotCountedByTheDriver => "not-counted-by-the-driver",
        VfTraffic::Unknown => "unknown",
    }
}

pub(in crate::report) fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Unchecked => "unchecked",
        Condition::Ok => "ok",
        Condition::Gone => "gone",
        Condition::Down => "down",
        Condition::UnderlayDown => "underlay-down",
        Condition::TooBig => "too-big",
        Condition::NoRoute => "no-route",
        Condition::NoNeighbour => "no-neighbour",
        Condition::NoFdb => "no-fdb",
        Condition::NoEndpoint => "no-endpoint",
        Condition::InClear => "in-clear",
    }
}

pub(in crate::report) fn aspect(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Cni => "cni",
        Aspect::Backend => "backend",
        Aspect::Families => "families",
        Aspect::ClusterCidrs => "cluster-cidrs",
        Aspect::PodCidrs => "pod-cidrs",
        Aspect::NodeAddresses => "node-addresses",
        Aspect::Interface => "interface",
        Aspect::TunnelMtu => "tunnel-mtu",
        Aspect::PodMtu => "pod-mtu",
        Aspect::Vni => "vni",
        Aspect::Port => "port",
    }
}

pub(in crate::report) fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Configured => "configured",
        Basis::Inferred => "inferred",
        Basis::Default => "default",
    }
}

pub(in crate::report) fn chart_kind(kind: ChartKind) -> &'static str {
    match kind {
        ChartKind::HelmChart => "HelmChart",
        ChartKind::HelmChartConfig => "HelmChartConfig",
    }
}

/// What a path does.
pub(in crate::report) fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Unknown => "unknown",
        Signal::Answered => "answered",
        Signal::SomeLost => "some-lost",
        Signal::RefusedHere => "refused-here",
        Signal::TooBig { .. } => "too-big",
        Signal::LargeLost => "black-hole",
        Signal::Unanswered => "unanswered",
    }
}

/// Who says "too big", and the MTU that is asked for.
pub(in crate::report) fn said(signal: Signal) -> Option<(IpAddr, u32)> {
    match signal {
        Signal::TooBig { from, mtu } => Some((from, mtu)),
        Signal::Unknown
        | Signal::Answered
        | Signal::SomeLost
        | Signal::RefusedHere
        | Signal::LargeLost
        | Signal::Unanswered => None,
    }
}
