//! What files want, in the document of `show node`, and beside it what there is.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::words;
use crate::{
    model::{
        Backend, Cni, Comparison, Encryption, Intended as Value, Intent, InterfaceChoice, MultusIntent,
        Sourced,
    },
    report::intended::{place, words as answers},
};

/// What files want.
#[derive(Serialize)]
pub(in crate::report) struct Intended<'a> {
    cni: Option<Setting<'a, Choice<'a>>>,
    backend: Option<Setting<'a, Choice<'a>>>,
    direct_routing: Option<Setting<'a, bool>>,
    encryption: Option<Setting<'a, Choice<'a>>>,
    ipv4: Option<Setting<'a, bool>>,
    ipv6: Option<Setting<'a, bool>>,
    cluster_cidrs: Vec<Setting<'a, IpNet>>,
    service_cidrs: Vec<Setting<'a, IpNet>>,
    node_ips: Vec<Setting<'a, IpAddr>>,
    node_external_ips: Vec<Setting<'a, IpAddr>>,
    node_name: Option<Setting<'a, &'a str>>,
    pod_cidrs: Vec<Setting<'a, IpNet>>,
    interface: Option<Setting<'a, Interface<'a>>>,
    underlay_mtu: Option<Setting<'a, u32>>,
    tunnel_mtu: Option<Setting<'a, u32>>,
    pod_mtu: Option<Setting<'a, u32>>,
    vni: Option<Setting<'a, u32>>,
    port: Option<Setting<'a, u16>>,
    port_v6: Option<Setting<'a, u16>>,
    default_network: Option<Setting<'a, &'a str>>,
    multus: Option<Multus<'a>>,
    whereabouts: Option<Setting<'a, ()>>,
    notes: &'a [String],
}

/// A value with its origin.
#[derive(Serialize)]
struct Setting<'a, T> {
    value: T,
    basis: &'static str,
    file: Option<&'a str>,
    line: Option<u32>,
}

/// One of several that have a word, or another by its name.
#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    Name { other: &'a str },
}

/// How an interface is chosen.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Interface<'a> {
    Name(&'a str),
    Pattern(&'a str),
    Rule(&'a str),
}

#[derive(Serialize)]
struct Multus<'a> {
    requested: Option<Setting<'a, ()>>,
    installed: Option<Setting<'a, ()>>,
    delegate: Option<Setting<'a, &'a str>>,
    delegate_plugin: Option<Setting<'a, &'a str>>,
    chain: Vec<Setting<'a, &'a str>>,
}

/// A text and where it was read.
#[derive(Serialize)]
pub(super) struct Source<'a> {
    value: &'a str,
    file: &'a str,
    line: Option<u32>,
}

/// The answers to one question.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    aspect: &'static str,
    intended: Vec<String>,
    actual: Vec<String>,
    agrees: Option<bool>,
    basis: Option<&'static str>,
    file: Option<&'a str>,
    line: Option<u32>,
}

fn setting<'a, T, U>(value: &'a Value<T>, of: impl Fn(&'a T) -> U) -> Setting<'a, U> {
    let Value { value, basis, file, line } = value;
    Setting { value: of(value), basis: words::basis(*basis), file: file.as_deref(), line: *line }
}

fn plain<T: Copy>(value: &Value<T>) -> Setting<'_, T> {
    setting(value, |value| *value)
}

fn text(value: &Value<String>) -> Setting<'_, &str> {
    setting(value, String::as_str)
}

impl<'a> From<&'a Intent> for Intended<'a> {
    fn from(intent: &'a Intent) -> Self {
        let Intent {
            cni,
            backend,
            direct_routing,
            encryption,
            ipv4,
            ipv6,
            cluster_cidrs,
            service_cidrs,
            node_ips,
            node_external_ips,
            node_name,
            pod_cidrs,
            interface,
            underlay_mtu,
            tunnel_mtu,
            pod_mtu,
            vni,
            port,
            port_v6,
            default_network,
            // The health check says what it means.
            foreign_cni: _,
            multus,
            whereabouts,
            notes,
        } = intent;
        Self {
            cni: cni.as_ref().map(|value| setting(value, Choice::from)),
            backend: backend.as_ref().map(|value| setting(value, Choice::from)),
            direct_routing: direct_routing.as_ref().map(plain),
            encryption: encryption.as_ref().map(|value| setting(value, Choice::from)),
            ipv4: ipv4.as_ref().map(plain),
            ipv6: ipv6.as_ref().map(plain),
            cluster_cidrs: cluster_cidrs.iter().map(plain).collect(),
            service_cidrs: service_cidrs.iter().map(plain).collect(),
            node_ips: node_ips.iter().map(plain).collect(),
            node_external_ips: node_external_ips.iter().map(plain).collect(),
            node_name: node_name.as_ref().map(text),
            pod_cidrs: pod_cidrs.iter().map(plain).collect(),
            interface: interface.as_ref().map(|value| setting(value, Interface::from)),
            underlay_mtu: underlay_mtu.as_ref().map(plain),
            tunnel_mtu: tunnel_mtu.as_ref().map(plain),
            pod_mtu: pod_mtu.as_ref().map(plain),
            vni: vni.as_ref().map(plain),
            port: port.as_ref().map(plain),
            port_v6: port_v6.as_ref().map(plain),
            default_network: default_network.as_ref().map(text),
            multus: multus.as_ref().map(Multus::from),
            whereabouts: whereabouts.as_ref().map(plain),
            notes,
        }
    }
}

impl<'a> From<&'a Cni> for Choice<'a> {
    fn from(cni: &'a Cni) -> Self {
        Self::Word(match cni {
            Cni::Canal => "canal",
            Cni::Flannel => "flannel",
            Cni::K3sFlannel => "k3s-flannel",
            Cni::Calico => "calico",
            Cni::Cilium => "cilium",
            Cni::None => "none",
            Cni::Other(other) => return Self::Name { other },
        })
    }
}

impl<'a> From<&'a Backend> for Choice<'a> {
    fn from(backend: &'a Backend) -> Self {
        Self::Word(match backend {
            Backend::Vxlan => "vxlan",
            Backend::Geneve => "geneve",
            Backend::Wireguard => "wireguard",
            Backend::Ipip => "ipip",
            Backend::HostGw => "host-gw",
            Backend::Udp => "udp",
            Backend::NoEncapsulation => "no-encapsulation",
            Backend::NativeRouting => "native-routing",
            Backend::None => "none",
            Backend::Other(other) => return Self::Name { other },
        })
    }
}

impl<'a> From<&'a Encryption> for Choice<'a> {
    fn from(encryption: &'a Encryption) -> Self {
        Self::Word(match encryption {
            Encryption::Wireguard => "wireguard",
            Encryption::Ipsec => "ipsec",
            Encryption::Other(other) => return Self::Name { other },
        })
    }
}

impl<'a> From<&'a InterfaceChoice> for Interface<'a> {
    fn from(choice: &'a InterfaceChoice) -> Self {
        match choice {
            InterfaceChoice::Name(name) => Self::Name(name),
            InterfaceChoice::Pattern(pattern) => Self::Pattern(pattern),
            InterfaceChoice::Rule(rule) => Self::Rule(rule),
        }
    }
}

impl<'a> From<&'a MultusIntent> for Multus<'a> {
    fn from(multus: &'a MultusIntent) -> Self {
        let MultusIntent { requested, installed, delegate, delegate_plugin, chain } = multus;
        Self {
            requested: requested.as_ref().map(plain),
            installed: installed.as_ref().map(plain),
            delegate: delegate.as_ref().map(text),
            delegate_plugin: delegate_plugin.as_ref().map(text),
            chain: chain.iter().map(text).collect(),
        }
    }
}

impl<'a> From<&'a Sourced<String>> for Source<'a> {
    fn from(sourced: &'a Sourced<String>) -> Self {
        let Sourced { value, file, line } = sourced;
        Self { value, file, line: *line }
    }
}

impl<'a> From<&'a Comparison> for Row<'a> {
    fn from(row: &'a Comparison) -> Self {
        let (file, line) = place(row);
        Self {
            aspect: words::aspect(row.aspect),
            intended: answers(&row.intended),
            actual: answers(&row.actual),
            agrees: row.agrees,
            basis: row.basis.map(words::basis),
            file,
            line,
        }
    }
}
