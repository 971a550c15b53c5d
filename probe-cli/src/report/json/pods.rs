//! `show pods --format json`.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde::Serialize;

use super::words;
use crate::model::{AttachmentIpam, Disagreement, Mac, Pod as PodOfModel, PodInterface};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Document<'a> {
    schema_version: u32,
    pods: Vec<Pod<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Pod<'a> {
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    uid: Option<&'a str>,
    source: &'static str,
    host_network: bool,
    addresses: &'a [IpAddr],
    host_ifindex: Option<u32>,
    host_ifname: Option<&'a str>,
    host_evidence: Option<&'static str>,
    netns: Option<&'a str>,
    interfaces: Vec<Interface<'a>>,
    requested_networks: Option<&'a str>,
    disagreements: Vec<Contradiction<'a>>,
}

/// An interface of a pod, here and in `watch`.
#[derive(Serialize)]
pub(in crate::report) struct Interface<'a> {
    name: &'a str,
    ifindex: u32,
    kind: Option<&'a str>,
    parent: Option<&'a str>,
    hardware: Option<&'a str>,
    mtu: u32,
    mac: Option<Mac>,
    up: bool,
    addresses: &'a [IpNet],
    network: Option<&'a str>,
    ipam: Option<Ipam<'a>>,
    is_default: bool,
}

#[derive(Serialize)]
struct Ipam<'a> {
    kind: &'a str,
    ranges: &'a [String],
    node_slice_size: Option<&'a str>,
    network_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Contradiction<'a> {
    about: &'static str,
    evidence: &'static str,
    says: &'a str,
}

impl<'a> Document<'a> {
    /// These pods, with what does not fit together.
    pub(in crate::report) fn new(pods: &'a [Arc<PodOfModel>], notes: &'a [String]) -> Self {
        Self { schema_version: 1, pods: pods.iter().map(|pod| Pod::from(&**pod)).collect(), notes }
    }
}

impl<'a> From<&'a PodOfModel> for Pod<'a> {
    fn from(pod: &'a PodOfModel) -> Self {
        let PodOfModel {
            namespace,
            name,
            uid,
            source,
            host_network,
            addresses,
            host_ifindex,
            host_ifname,
            host_evidence,
            netns,
            interfaces,
            requested_networks,
            disagreements,
        } = pod;
        Self {
            namespace: namespace.as_deref(),
            name: name.as_deref(),
            uid: uid.as_deref(),
            source: words::pod_source(*source),
            host_network: *host_network,
            addresses,
            host_ifindex: *host_ifindex,
            host_ifname: host_ifname.as_deref(),
            host_evidence: host_evidence.map(words::evidence),
            netns: netns.as_deref(),
            interfaces: interfaces.iter().map(Interface::from).collect(),
            requested_networks: requested_networks.as_deref(),
            disagreements: disagreements.iter().map(Contradiction::from).collect(),
        }
    }
}

impl<'a> From<&'a PodInterface> for Interface<'a> {
    fn from(interface: &'a PodInterface) -> Self {
        let PodInterface {
            name,
            ifindex,
            kind,
            parent,
            hardware,
            mtu,
            mac,
            up,
            addresses,
            network,
            ipam,
            is_default,
        } = interface;
        Self {
            name,
            ifindex: *ifindex,
            kind: kind.as_deref(),
            parent: parent.as_deref(),
            hardware: hardware.as_deref(),
            mtu: *mtu,
            mac: *mac,
            up: *up,
            addresses,
            network: network.as_deref(),
            ipam: ipam.as_ref().map(Ipam::from),
            is_default: *is_default,
        }
    }
}

impl<'a> From<&'a AttachmentIpam> for Ipam<'a> {
    fn from(ipam: &'a AttachmentIpam) -> Self {
        let AttachmentIpam { kind, ranges, node_slice_size, network_name } = ipam;
        Self {
            kind,
            ranges,
            node_slice_size: node_slice_size.as_deref(),
            network_name: network_name.as_deref(),
        }
    }
}

impl<'a> From<&'a Disagreement> for Contradiction<'a> {
    fn from(disagreement: &'a Disagreement) -> Self {
        let Disagreement { about, evidence, says } = disagreement;
        Self { about: words::disputed(*about), evidence: words::evidence(*evidence), says }
    }
}
