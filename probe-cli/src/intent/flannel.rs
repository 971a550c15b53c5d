//! flannel's backend, alone and inside of Canal and k3s: what the chart or the command line asks for, what the ConfigMap that
//! reached this node says, and what flanneld wrote down. And whose flannel its own files are of, where nothing else says that.

use crate::{
    facts::files::{FlannelConf, FlannelOwner, HostFiles, Sourced, SubnetEnv},
    intent::{
        Backend, Basis, Cni, Encryption, Intended, Intent, InterfaceChoice,
        agree::{agree, default, follows, like, parsed, said},
        charts,
        distribution::{is_k3s, is_server},
    },
};

/// Bytes that flannel takes off the outer MTU, for both families (flannel pkg/backend/vxlan/vxlan_network.go,
/// pkg/backend/wireguard/wireguard_network.go, pkg/backend/ipip/ipip.go, pkg/backend/udp/udp_network_amd64.go).
fn overhead(backend: &Backend) -> Option<u32> {
    match backend {
        Backend::Vxlan => Some(50),
        Backend::Wireguard => Some(80),
        Backend::Ipip => Some(20),
        Backend::HostGw => Some(0),
        Backend::Udp => Some(28),
        Backend::NoEncapsulation
        | Backend::NativeRouting
        | Backend::Geneve
        | Backend::None
        | Backend::Other(_) => None,
    }
}

/// flannel's name of a backend; k3s calls WireGuard `wireguard-native`.
pub(super) fn backend(name: &str) -> Backend {
    match name {
        "vxlan" => Backend::Vxlan,
        "wireguard" | "wireguard-native" => Backend::Wireguard,
        "host-gw" => Backend::HostGw,
        "ipip" => Backend::Ipip,
        "udp" => Backend::Udp,
        "none" => Backend::None,
        other => Backend::Other(other.to_owned()),
    }
}

/// k3s' `flannel-backend: none`.
pub(super) fn turned_off(files: &HostFiles) -> Option<Intended<Backend>> {
    let said_by = files.k3s.value()?.get("flannel-backend")?.last()?;
    (said_by.value == "none").then(|| said(said_by.with(Backend::None)))
}

/// The CNI that flannel's own files are of, where nothing else says which it is.
pub(super) fn whose(files: &HostFiles) -> Option<Intended<Cni>> {
    if let Some(conf) = files.flannel.value() {
        let by_backend = Sourced { value: (), file: conf.file.clone(), line: None };
        let by_backend = conf.backend.as_ref().map_or(by_backend, |backend| backend.with(()));
        let plugin = files.flannel_cni.value().and_then(|file| file.network.plugins.first());
        return Some(match (conf.owner, plugin) {
            (FlannelOwner::K3s, _) => follows(&by_backend, Cni::K3sFlannel),
            (FlannelOwner::Canal, _) => follows(&by_backend, Cni::Canal),
            (FlannelOwner::Flannel, Some(plugin)) if plugin.kind.value == "calico" => {
                follows(&plugin.kind, Cni::Canal)
            }
            (FlannelOwner::Flannel, Some(plugin)) => follows(&plugin.kind, Cni::Flannel),
            (FlannelOwner::Flannel, None) => follows(&by_backend, Cni::Flannel),
        });
    }
    let env = files.subnet_env.value()?;
    let by_env = env.subnet.as_ref().or(env.ipv6_subnet.as_ref())?;
    let cni = match (is_k3s(files), is_flannelds_own(env)) {
        (true, _) => Cni::K3sFlannel,
        // In RKE2's Canal flanneld has the file to itself; elsewhere that says nothing of whose flanneld it is.
        (false, true) => files.rke2_directory.value().map(|_| Cni::Canal)?,
        (false, false) => Cni::Flannel,
    };
    Some(follows(by_env, cni))
}

/// The file is in flanneld's container and not on the host.
fn is_flannelds_own(env: &SubnetEnv) -> bool {
    env.file.starts_with("/proc/")
}

pub(super) fn join(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let is_canal = matches!(intent.cni, Some(Intended { value: Cni::Canal, .. }));
    let is_k3s = matches!(intent.cni, Some(Intended { value: Cni::K3sFlannel, .. }));
    // Only RKE2's own chart for flannel has numbers of its own.
    let is_rke2_flannel = !is_canal && !is_k3s && files.rke2_directory.value().is_some();
    let chart = if is_canal { "rke2-canal" } else { "rke2-flannel" };
    let value = |key: &str| charts::value(files, chart, key).filter(|_| !is_k3s);
    let number = |key: &str| charts::number(files, chart, key).filter(|_| !is_k3s);
    let k3s = |key: &str| files.k3s.value().filter(|_| is_k3s)?.get(key)?.last();
    let conf = files.flannel.value();
    let unapplied = "the chart's values have not reached this node, or its DaemonSet was not restarted since";

    let by_chart = value("flannel.backend").or_else(|| k3s("flannel-backend"));
    let by_chart = by_chart.map(|name| said(name.with(backend(&name.value))));
    let by_conf = conf.and_then(|conf| conf.backend.as_ref());
    let by_conf = by_conf.map(|name| said(name.with(backend(&name.value))));
    let found = agree("flannel's backend", unapplied, [by_chart, by_conf], notes);
    // The charts' default, and k3s' own: where they can be looked at.
    let is_default = is_server(files) && files.flannel.trouble().is_none();
    // flannel by itself takes UDP where its configuration has no backend (pkg/subnet/config.go, `parseBackendType`).
    let silent = conf.filter(|conf| conf.backend.is_none() && conf.owner == FlannelOwner::Flannel);
    let silent = silent.map(|conf| Sourced { value: (), file: conf.file.clone(), line: None });
    intent.backend = found
        .or_else(|| silent.map(|conf| follows(&conf, Backend::Udp)))
        .or_else(|| is_default.then(|| default(Backend::Vxlan)));
    if let Some(Intended { value: Backend::Other(name), .. }) = &intent.backend
        && name == "ipsec"
    {
        intent.encryption =
            intent.backend.as_ref().map(|backend| like(backend, Encryption::Ipsec, Basis::Inferred));
    }
    // Canal's Felix can encrypt on its own.
    let felix =
        value("calico.felixConfiguration.wireguardEnabled").filter(|on| is_canal && on.value == "true");
    if let Some(on) = felix {
        intent.encryption = Some(follows(on, Encryption::Wireguard));
    }
    let tunnel = intent.backend.as_ref().map(|backend| backend.value.clone());
    let is_vxlan = tunnel == Some(Backend::Vxlan);
    let is_wireguard = tunnel == Some(Backend::Wireguard);

    // What a conf says of another backend is not about this one.
    let conf =
        conf.filter(|conf| conf.backend.as_ref().is_none_or(|name| Some(backend(&name.value)) == tunnel));
    let of_conf =
        |get: fn(&FlannelConf) -> Option<Sourced<u32>>| conf.and_then(get).filter(|found| found.value != 0);
    if is_vxlan {
        let by_chart = number("flannel.vni").and_then(|vni| parsed("VNI", vni, notes)).map(said);
        let by_conf = of_conf(|conf| conf.vni.clone()).map(said);
        let found = agree("VNI", unapplied, [by_chart, by_conf], notes);
        intent.vni = found.or(Some(default(if is_rke2_flannel { 4096 } else { 1 })));
    }
    let is_udp = tunnel == Some(Backend::Udp);
    if is_vxlan || is_wireguard || is_udp {
        let by_chart = number("flannel.backendPort").and_then(|port| parsed("port", port, notes)).map(said);
        let by_conf = conf.and_then(|conf| conf.port.clone()).filter(|port| port.value != 0).map(said);
        let found = agree("port of the tunnel", unapplied, [by_chart, by_conf], notes);
        let usual = match (is_udp, is_wireguard, is_rke2_flannel) {
            (true, _, _) => 8285,
            (false, true, _) => 51820,
            (false, false, true) => 4789,
            (false, false, false) => 8472,
        };
        intent.port = found.or(Some(default(usual)));
    }
    let is_v6 = intent.ipv6.as_ref().is_some_and(|ipv6| ipv6.value);
    let separate = conf.and_then(|conf| conf.mode.as_ref()).is_none_or(|mode| mode.value == "separate");
    if is_wireguard && is_v6 && separate {
        let by_chart = number("flannel.backendPortv6").and_then(|port| parsed("port", port, notes)).map(said);
        let by_conf = conf.and_then(|conf| conf.port_v6.clone()).filter(|port| port.value != 0).map(said);
        let found = agree("port of the tunnel over IPv6", unapplied, [by_chart, by_conf], notes);
        intent.port_v6 = found.or(Some(default(51821)));
    }
    let by_chart = number("flannel.mtu").and_then(|mtu| parsed("MTU", mtu, notes)).map(said);
    let by_conf = of_conf(|conf| conf.mtu.clone()).map(said);
    intent.underlay_mtu = agree("MTU below the tunnel", unapplied, [by_chart, by_conf], notes);
    // Only these two backends have it (flannel Documentation/backends.md).
    let direct = conf.filter(|_| matches!(tunnel, Some(Backend::Vxlan | Backend::Ipip)));
    intent.direct_routing = direct.and_then(|conf| conf.direct_routing.clone()).map(said);
    tunnel_mtu(files, intent, notes);
    intent.interface = interface(files, chart, is_k3s, k3s("flannel-iface"));
}

/// What flanneld wrote down, and what follows from a configured MTU.
fn tunnel_mtu(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let written = files.subnet_env.value().and_then(|env| env.mtu.clone()).map(said);
    let overhead = intent.backend.as_ref().and_then(|backend| overhead(&backend.value));
    let computed = intent.underlay_mtu.as_ref().zip(overhead);
    let computed =
        computed.map(|(mtu, overhead)| like(mtu, mtu.value.saturating_sub(overhead), Basis::Inferred));
    let remedy = "flanneld runs with an older configuration: restart its DaemonSet";
    intent.tunnel_mtu = agree("MTU of the tunnel", remedy, [computed, written], notes);
}

/// `--iface` and its relatives, by chart value or argument.
fn interface(
    files: &HostFiles,
    chart: &str,
    is_k3s: bool,
    k3s: Option<&Sourced<String>>,
) -> Option<Intended<InterfaceChoice>> {
    if is_k3s {
        return k3s.map(|name| said(name.with(InterfaceChoice::Name(name.value.clone()))));
    }
    let name = charts::value(files, chart, "flannel.iface");
    let name = name.map(|name| said(name.with(InterfaceChoice::Name(name.value.clone()))));
    let pattern = charts::value(files, chart, "flannel.regexIface");
    let pattern = pattern.map(|text| said(text.with(InterfaceChoice::Pattern(text.value.clone()))));
    let arguments = charts::values(files, chart, "flannel.args");
    let argument = arguments.iter().find_map(|argument| {
        let (flag, value) = argument.value.trim_start_matches('-').split_once('=')?;
        let choice = match flag {
            "iface" => InterfaceChoice::Name(value.to_owned()),
            "iface-regex" => InterfaceChoice::Pattern(value.to_owned()),
            "iface-can-reach" => InterfaceChoice::Rule(format!("can reach {value}")),
            _ => return None,
        };
        Some(follows(argument, choice))
    });
    name.or(pattern).or(argument)
}
