//! What to set with a change, and where: by who made the data plane. Numbers only; words are a report's.

use super::{Changes, PlannedBackend};
use crate::{
    facts::files::ChartKind,
    intent::Cni,
    inventory::{System, TunnelKind},
    model::{Model, mtu::overhead},
};

/// Where values are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// In a `HelmChartConfig` of RKE2.
    HelmChartConfig {
        /// Its name, which is that of the chart.
        chart: &'static str,
        /// The file that has one already; escape before showing.
        file: Option<String>,
    },
    /// In k3s' own configuration, `/etc/rancher/k3s/config.yaml`.
    K3s,
    /// In flannel's `net-conf.json`, of the ConfigMap `kube-flannel-cfg`.
    NetConf,
    /// It is not known where this system has it.
    Unknown,
}

/// A value to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The keys that lead to it.
    pub path: &'static [&'static str],
    /// What to set.
    pub value: String,
    /// It is a text and not a number.
    pub is_text: bool,
}

/// What to set in the same change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where.
    pub place: Where,
    /// What; empty when what is set already, or found out by itself, suits.
    pub values: Vec<Setting>,
    /// MTU of pods' interfaces that suits every path, in bytes.
    pub pod_mtu: u32,
    /// MTU that the tunnels are made for, where it is not that of the device below.
    pub below_tunnel: Option<u32>,
}

/// What is known of how the sizes come about now.
pub(super) struct Made {
    pub(super) system: System,
    is_k3s: bool,
    file: Option<String>,
    /// MTU that flannel is told that tunnels are made for.
    configured: Option<u32>,
    /// MTU of pods as a chart or the CNI's file has it.
    pods: Option<u32>,
    /// Calico's agent finds the tunnels' sizes out by itself.
    pub(super) finds_out: bool,
}

impl Made {
    pub(super) fn new(model: &Model, system: System) -> Self {
        let intent = model.setup.intent.as_ref();
        let chart = chart(system);
        let mut charts = model.setup.charts.iter();
        let config = charts.find(|manifest| {
            manifest.kind == ChartKind::HelmChartConfig && Some(manifest.name.value.as_str()) == chart
        });
        let pods = intent.and_then(|intent| intent.pod_mtu.as_ref());
        // What calico-node has written down is what it has found out.
        let is_written =
            |file: &Option<String>| file.as_ref().is_none_or(|file| file.ends_with("/calico/mtu"));
        Self {
            system,
            is_k3s: intent
                .and_then(|intent| intent.cni.as_ref())
                .is_some_and(|cni| cni.value == Cni::K3sFlannel),
            file: config.map(|config| config.name.file.clone()),
            configured: intent.and_then(|intent| intent.underlay_mtu.as_ref()).map(|mtu| mtu.value),
            finds_out: matches!(system, System::Calico | System::CalicoEbpf)
                && pods.is_none_or(|pods| is_written(&pods.file)),
            pods: pods.map(|pods| pods.value),
        }
    }

    /// What flannel takes for the MTU below the tunnel after the change: a number that was configured for the device's old MTU is not
    /// kept where that changes.
    pub(super) fn configured(&self, changes: &Changes) -> Option<u32> {
        self.configured.filter(|_| changes.underlay.is_none())
    }

    /// What flannel takes for it as long as nothing else is set.
    pub(super) fn configured_now(&self) -> Option<u32> {
        self.configured
    }

    fn place(&self) -> Where {
        match (self.system, chart(self.system)) {
            (_, Some(chart)) => Where::HelmChartConfig { chart, file: self.file.clone() },
            (System::Flannel, None) if self.is_k3s => Where::K3s,
            (System::Flannel, None) => Where::NetConf,
            (_, None) => Where::Unknown,
        }
    }

    /// `fits`: the largest packet of a pod that every path carries once the tunnels are made anew.
    pub(super) fn settings(
        &self,
        changes: &Changes,
        backend: Option<PlannedBackend>,
        below: u32,
        fits: u32,
    ) -> Settings {
        let below_tunnel = self.configured(changes);
        let place = self.place();
        let mut values = Vec::new();
        let mut set = |path: &'static [&'static str], value: String, is_text: bool| {
            values.push(Setting { path, value, is_text });
        };
        // What was configured is of the MTU that there was below.
        let is_outdated = self.configured.is_some() && changes.underlay.is_some();
        let name = changes.backend.map(|backend| backend.to_string());
        match (self.system, &place) {
            (System::Canal, _) => {
                if let Some(name) = name {
                    set(&["flannel", "backend"], name, true);
                }
                if is_outdated {
                    set(&["flannel", "mtu"], below.to_string(), false);
                }
                // RKE2 derives it from nothing (rke2-canal's values.yaml): it is named even if it stays.
                set(&["calico", "vethuMTU"], fits.to_string(), false);
            }
            (System::Rke2Flannel | System::Flannel, place) => {
                // flannel gives pods what it takes off the MTU below for IPv4, which is too much where VXLAN is over IPv6.
                let taken = backend.map_or(0, taken_off);
                let given = below_tunnel.unwrap_or(below).saturating_sub(taken);
                let is_needed = given > fits || is_outdated;
                let mtu = fits.saturating_add(taken);
                let at: [&'static [&'static str]; 2] = match place {
                    Where::K3s => {
                        let is_wireguard = changes.backend == Some(PlannedBackend::Wireguard);
                        if let Some(name) = name {
                            let name = if is_wireguard { "wireguard-native".to_owned() } else { name };
                            set(&["flannel-backend"], name, true);
                        }
                        // An MTU it takes only in a file of flannel's own (`flannel-conf`).
                        return Settings { place: Where::K3s, values, pod_mtu: given, below_tunnel };
                    }
                    Where::NetConf => [&["Backend", "Type"], &["Backend", "MTU"]],
                    Where::HelmChartConfig { .. } | Where::Unknown => {
                        [&["flannel", "backend"], &["flannel", "mtu"]]
                    }
                };
                if let Some(name) = name {
                    set(at[0], name, true);
                }
                if is_needed {
                    set(at[1], mtu.to_string(), false);
                    return Settings { place: place.clone(), values, pod_mtu: fits, below_tunnel: Some(mtu) };
                }
                return Settings { place: place.clone(), values, pod_mtu: given, below_tunnel };
            }
            (System::Calico | System::CalicoEbpf, _) if !self.finds_out => {
                set(&["installation", "calicoNetwork", "mtu"], fits.to_string(), false);
            }
            (System::Cilium, _) if self.pods.is_some() => set(&["MTU"], below.to_string(), false),
            (System::Calico | System::CalicoEbpf | System::Cilium | System::Unknown, _) => {}
        }
        Settings { place, values, pod_mtu: fits, below_tunnel }
    }
}

/// RKE2's chart of a system.
fn chart(system: System) -> Option<&'static str> {
    match system {
        System::Canal => Some("rke2-canal"),
        System::Rke2Flannel => Some("rke2-flannel"),
        System::Calico | System::CalicoEbpf => Some("rke2-calico"),
        System::Cilium => Some("rke2-cilium"),
        System::Flannel | System::Unknown => None,
    }
}

/// What flannel takes off the MTU below for its devices and for pods, whatever the family: VXLAN's headers over IPv4, WireGuard's over
/// IPv6 (pkg/backend/vxlan/device.go, pkg/backend/wireguard/wireguard_network.go).
pub(super) fn taken_off(backend: PlannedBackend) -> u32 {
    match backend.tunnel() {
        Some(TunnelKind::Wireguard) => overhead(TunnelKind::Wireguard, Some(6)),
        Some(kind) => overhead(kind, Some(4)),
        None => 0,
    }
}
