//! Cilium by its chart: tunnel or native routing, encryption, devices.

use crate::{
    facts::files::HostFiles,
    intent::{
        Backend, Encryption, Intent, InterfaceChoice,
        agree::{default, follows, parsed, said},
        charts,
    },
};

const CHART: &str = "rke2-cilium";

pub(super) fn join(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let is_server = charts::of_rke2(files);
    let value = |key: &str| charts::value(files, CHART, key);
    let native = value("routingMode").filter(|mode| mode.value == "native");
    let native = native.or_else(|| value("tunnel").filter(|tunnel| tunnel.value == "disabled"));
    // `tunnel` was both in one before Cilium 1.14.
    let protocol = value("tunnelProtocol").or_else(|| value("tunnel"));
    intent.backend = match (native, protocol) {
        (Some(native), _) => Some(follows(native, Backend::NativeRouting)),
        (None, Some(protocol)) => Some(said(protocol.with(match protocol.value.as_str() {
            "vxlan" => Backend::Vxlan,
            "geneve" => Backend::Geneve,
            other => Backend::Other(other.to_owned()),
        }))),
        (None, None) => is_server.then(|| default(Backend::Vxlan)),
    };
    let usual = intent.backend.as_ref().and_then(|backend| match backend.value {
        Backend::Vxlan => Some(8472),
        Backend::Geneve => Some(6081),
        Backend::Wireguard
        | Backend::Ipip
        | Backend::HostGw
        | Backend::Udp
        | Backend::NoEncapsulation
        | Backend::NativeRouting
        | Backend::None
        | Backend::Other(_) => None,
    });
    if let Some(usual) = usual {
        let port = charts::number(files, CHART, "tunnelPort").and_then(|port| parsed("port", port, notes));
        intent.port = port.map(said).or(Some(default(usual)));
    }
    if value("encryption.enabled").is_some_and(|on| on.value == "true") {
        let kind = value("encryption.type");
        intent.encryption = match kind {
            Some(kind) => Some(said(kind.with(match kind.value.as_str() {
                "wireguard" => Encryption::Wireguard,
                "ipsec" => Encryption::Ipsec,
                other => Encryption::Other(other.to_owned()),
            }))),
            // The chart's default.
            None => value("encryption.enabled").map(|on| follows(on, Encryption::Ipsec)),
        };
    }
    let devices = charts::values(files, CHART, "devices").first();
    intent.interface =
        devices.map(|device| said(device.with(InterfaceChoice::Pattern(device.value.clone()))));
}
