//! What the files of a node say of its network, as plain types. Each value keeps the file and line that it came from. Every
//! text in them is hostile input: escape it before it is shown. No secret is ever in them.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::device_plugin::DevicePluginConfig;
use crate::observed::Observed;

/// A value and where it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Path of the file as it is on the host.
    pub file: String,
    /// Line in that file, from 1; none where the whole file is the value.
    pub line: Option<u32>,
}

impl<T> Sourced<T> {
    /// Another value from the same place.
    pub fn with<U>(&self, value: U) -> Sourced<U> {
        Sourced { value, file: self.file.clone(), line: self.line }
    }

    /// `file:line`, or the file.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

/// What is said of files whose reading does not end.
pub const LATE: &str = "reading the host's files again does not end, as on a file system whose server does not answer: what is \
                        shown of them may be old";

/// The same as a note.
pub fn late() -> Sourced<String> {
    Sourced { value: LATE.to_owned(), file: "/".to_owned(), line: None }
}

/// Settings by name, each with one or several values: YAML lists and comma-separated values are taken apart.
pub type Settings = BTreeMap<String, Vec<Sourced<String>>>;

/// Everything that was read below a host's root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFiles {
    /// Where RKE2 keeps its state, if there is such a directory.
    pub rke2_directory: Observed<String>,
    /// Where k3s keeps its state, if there is such a directory.
    pub k3s_directory: Observed<String>,
    /// RKE2's configuration, `/etc/rancher/rke2/config.yaml` and its drop-ins, and its services' arguments.
    pub rke2: Observed<Settings>,
    /// k3s' configuration, `/etc/rancher/k3s/config.yaml` and its drop-ins, and its services' arguments.
    pub k3s: Observed<Settings>,
    /// What k3s' service starts, by the command in its unit; none without such a unit.
    pub k3s_role: Option<Sourced<K3sRole>>,
    /// `HelmChart` and `HelmChartConfig` objects among the server's manifests; absent on agents.
    pub charts: Observed<Vec<Chart>>,
    /// flannel's `net-conf.json`: the newest of the kubelet's ConfigMap volumes, or k3s' own.
    pub flannel: Observed<FlannelConf>,
    /// flannel's `cni-conf.json` from the same volume.
    pub flannel_cni: Observed<CniFile>,
    /// flannel's `subnet.env`.
    pub subnet_env: Observed<SubnetEnv>,
    /// The runtime's CNI configuration directory.
    pub cni: Observed<CniDirectory>,
    /// Configurations that Multus may take by name, `/etc/cni/multus/net.d`.
    pub multus_networks: Observed<Vec<CniFile>>,
    /// Whereabouts' files.
    pub whereabouts: Observed<Whereabouts>,
    /// What the SR-IOV network device plugin is told.
    pub device_plugin: Observed<DevicePluginConfig>,
    /// `/var/lib/calico/nodename`.
    pub calico_nodename: Observed<Sourced<String>>,
    /// `/var/lib/calico/mtu`: MTU of pods as calico-node chose it, in bytes of the IP packet.
    pub calico_mtu: Observed<Sourced<u32>>,
    /// `/etc/hostname`.
    pub hostname: Observed<Sourced<String>>,
    /// `/etc/hosts`, line by line.
    pub hosts: Observed<Vec<Sourced<HostsEntry>>>,
    /// NetworkManager.
    pub network_manager: Observed<NetworkManager>,
    /// systemd-networkd.
    pub networkd: Observed<Networkd>,
    /// Programs that manage the node's firewall, those that are installed.
    #[serde(default)]
    pub firewalls: Vec<Firewall>,
    /// What could not be read or understood: the text, with the file and line that it is about.
    pub notes: Vec<Sourced<String>>,
}

/// What a service of k3s starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum K3sRole {
    /// `k3s server`, which is an agent, too.
    #[default]
    Server,
    /// `k3s agent`: its server tells it what the network is.
    Agent,
}

/// `apiVersion` of the objects of k3s' helm-controller.
pub const CHART_API: &str = "helm.cattle.io/v1";

/// Kind of an object of k3s' helm-controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChartKind {
    /// `HelmChart`: a chart to install, with values of its own.
    #[default]
    HelmChart,
    /// `HelmChartConfig`: values for the chart of the same name and namespace.
    HelmChartConfig,
}

/// A `HelmChart` or `HelmChartConfig` (helm.cattle.io/v1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// What it is.
    pub kind: ChartKind,
    /// `apiVersion`; a manifest without one, or with another than `helm.cattle.io/v1`, counts for nothing.
    pub api_version: Option<Sourced<String>>,
    /// `metadata.name`.
    pub name: Sourced<String>,
    /// `metadata.namespace`; none where the manifest has none, which means `default`.
    pub namespace: Option<Sourced<String>>,
    /// `spec.chart` of a `HelmChart`: name or address of the chart.
    pub chart: Option<Sourced<String>>,
    /// Those of its values that concern networking, by dotted path: of `valuesContent`, and of a `HelmChart` also of `set`.
    /// An element of a list of maps has its number in the path.
    pub values: Settings,
}

impl Chart {
    /// Name of the chart that a `HelmChart` installs: of `spec.chart` without address, version and ending, else
    /// `metadata.name`, as in RKE2's own manifests, which have the chart inside of them.
    pub fn installs(&self) -> &str {
        self.chart.as_ref().map_or(self.name.value.as_str(), |chart| chart_name(&chart.value))
    }

    /// Why the server does not apply it, in words; none when it does.
    pub fn ignored(&self) -> Option<String> {
        match &self.api_version {
            None => Some("it has no apiVersion".to_owned()),
            Some(version) if version.value != CHART_API => {
                Some(format!("its apiVersion is {}, which has no such object", version.value))
            }
            Some(_) => None,
        }
    }

    /// `metadata.namespace`, with what none means.
    pub fn namespace(&self) -> &str {
        self.namespace.as_ref().map_or("default", |namespace| namespace.value.as_str())
    }
}

/// `rke2-canal` of `oci://charts.example/rke2-canal-v3.29.0.tgz?x=y`, `oci://charts.example/rke2-canal` and the like.
fn chart_name(chart: &str) -> &str {
    let path = chart.split(['?', '#']).next().unwrap_or(chart).trim_end_matches('/');
    let base = path.rsplit('/').next().unwrap_or(path);
    let base = base.strip_suffix(".tgz").unwrap_or(base);
    let is_version = |text: &str| text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
    let mut dashes = base.match_indices('-').map(|(at, _)| base.split_at(at));
    dashes.find(|(_, rest)| is_version(rest.trim_start_matches('-'))).map_or(base, |(name, _)| name)
}

/// flannel's `net-conf.json` (flannel pkg/subnet/config.go, Documentation/backends.md). The pre-shared key is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlannelConf {
    /// Path of the file.
    pub file: String,
    /// `Network`: the cluster CIDR of IPv4.
    pub network: Option<Sourced<IpNet>>,
    /// `IPv6Network`.
    pub ipv6_network: Option<Sourced<IpNet>>,
    /// `EnableIPv4`; flannel takes none for true.
    pub enable_ipv4: Option<Sourced<bool>>,
    /// `EnableIPv6`; flannel takes none for false.
    pub enable_ipv6: Option<Sourced<bool>>,
    /// `Backend.Type`.
    pub backend: Option<Sourced<String>>,
    /// `Backend.VNI`.
    pub vni: Option<Sourced<u32>>,
    /// `Backend.Port` of VXLAN, `Backend.ListenPort` of WireGuard.
    pub port: Option<Sourced<u16>>,
    /// `Backend.ListenPortV6`.
    pub port_v6: Option<Sourced<u16>>,
    /// `Backend.MTU`: of the outer IP packet; the tunnel's own is smaller by the encapsulation.
    pub mtu: Option<Sourced<u32>>,
    /// `Backend.DirectRouting`.
    pub direct_routing: Option<Sourced<bool>>,
    /// `Backend.Mode` of WireGuard: `separate`, `auto`, `ipv4` or `ipv6`.
    pub mode: Option<Sourced<String>>,
    /// Whose it is.
    pub owner: FlannelOwner,
}

/// Whose configuration of flannel it is, by what is beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlannelOwner {
    /// flannel's own manifest or chart.
    #[default]
    Flannel,
    /// k3s, which has flannel inside.
    K3s,
    /// Canal: what its other half takes is in the same ConfigMap.
    Canal,
}

/// flannel's `subnet.env` (flannel pkg/subnet/subnet.go, `WriteSubnetFile`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetEnv {
    /// Path of the file: on the host, or below `/proc/<pid>/root` of flanneld.
    pub file: String,
    /// `FLANNEL_NETWORK`.
    pub network: Option<Sourced<IpNet>>,
    /// `FLANNEL_SUBNET`: this node's pod network with its first address.
    pub subnet: Option<Sourced<IpNet>>,
    /// `FLANNEL_IPV6_NETWORK`.
    pub ipv6_network: Option<Sourced<IpNet>>,
    /// `FLANNEL_IPV6_SUBNET`.
    pub ipv6_subnet: Option<Sourced<IpNet>>,
    /// `FLANNEL_MTU`: of the inner IP packet.
    pub mtu: Option<Sourced<u32>>,
}

/// A CNI configuration directory, in the order that the runtime reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniDirectory {
    /// Its path, from the runtime's configuration; without a line where the runtime's default holds.
    pub path: Sourced<String>,
    /// `.conf`, `.conflist` and `.json` files, by name.
    pub files: Vec<CniFile>,
    /// Index of the first valid file: the default network. None as well where a file before it may not be read.
    pub default_network: Option<usize>,
}

/// One CNI configuration: a plugin (`.conf`) or a list of plugins (`.conflist`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniFile {
    /// Path of the file.
    pub file: String,
    /// Its network.
    pub network: CniNetwork,
    /// Why the runtime cannot take it.
    pub problem: Option<String>,
    /// Why it is not known what is in it.
    pub unread: Option<String>,
}

/// A CNI network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniNetwork {
    /// `name`.
    pub name: Option<Sourced<String>>,
    /// `cniVersion`.
    pub cni_version: Option<Sourced<String>>,
    /// The plugins in the order that they are called.
    pub plugins: Vec<CniPlugin>,
}

/// One plugin of a CNI network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CniPlugin {
    /// `type`.
    pub kind: Sourced<String>,
    /// `mtu`, of the pod's interface; 0 leaves it to the plugin (Calico: `/var/lib/calico/mtu`).
    pub mtu: Option<Sourced<u32>>,
    /// `master` of macvlan, ipvlan and vlan, `device` of host-device, `bridge` of bridge.
    pub device: Option<Sourced<String>>,
    /// `vlanId` or `vlan`.
    pub vlan: Option<Sourced<u32>>,
    /// `ipam.type`.
    pub ipam: Option<Sourced<String>>,
    /// `ipam.dataDir` of host-local: where its files are instead of `/var/lib/cni/networks`.
    pub ipam_directory: Option<Sourced<String>>,
    /// `ipam.ranges` and `ipam.subnet` of host-local, `ipam.range` of Whereabouts: CIDRs, `usePodCidr`, `usePodCidrIPv6`.
    pub ranges: Vec<Sourced<String>>,
    /// `ipam.node_slice_size` of Whereabouts: prefix length of each node's part of the range, as `/26` or `26`.
    pub node_slice_size: Option<Sourced<String>>,
    /// `ipam.network_name` of Whereabouts: what the range is called where it is kept; node slices need it.
    pub network_name: Option<Sourced<String>>,
    /// What only Multus has.
    pub multus: Option<Box<Multus>>,
}

/// Multus' part of a plugin of type `multus` or `multus-shim` (multus-cni docs/configuration.md).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multus {
    /// `delegates`: the first one makes the pod's `eth0`. Without effect where there is a `clusterNetwork`.
    pub delegates: Vec<CniNetwork>,
    /// `clusterNetwork`: a NetworkAttachmentDefinition, a network's name, a file or a directory.
    pub cluster_network: Option<Sourced<String>>,
    /// `confDir`: where `clusterNetwork` and `defaultNetworks` are looked for by name; none for `/etc/cni/multus/net.d`.
    pub conf_dir: Option<Sourced<String>>,
    /// The configurations in `confDir`; absent where there is none. The thick plugin's path is one of its daemon's container,
    /// where the host's files are below `/host`.
    pub conf_dir_files: Observed<Vec<CniFile>>,
    /// `defaultNetworks`: what every pod gets besides.
    pub default_networks: Vec<Sourced<String>>,
    /// `readinessindicatorfile`: Multus waits for it.
    pub readiness_file: Option<Sourced<String>>,
    /// `readinessindicatorfile` exists.
    pub is_ready: Observed<()>,
    /// `kubeconfig`.
    pub kubeconfig: Option<Sourced<String>>,
    /// What that file is like.
    pub kubeconfig_file: Observed<Kubeconfig>,
    /// `daemonSocketDir` of the thick plugin, `socketDir` in early versions.
    pub socket_directory: Option<Sourced<String>>,
    /// The thick plugin's socket is there: its daemon made it.
    #[serde(default)]
    pub socket: Observed<()>,
}

/// A kubeconfig file of a CNI plugin, without what is secret in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kubeconfig {
    /// Path of the file.
    pub file: String,
    /// When it was written, seconds since the Unix epoch.
    pub modified: i64,
    /// `exp` of the token in it, seconds since the Unix epoch; none without a token that says so (RFC 7519, 4.1.4).
    pub token_expires: Option<i64>,
}

/// Whereabouts' files (whereabouts script/lib.sh), `whereabouts.d` in the runtime's CNI directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// `datastore` of `whereabouts.conf`.
    pub datastore: Option<Sourced<String>>,
    /// `kubernetes.kubeconfig` of `whereabouts.conf`.
    pub kubeconfig: Option<Sourced<String>>,
    /// What the kubeconfig is like: the one that `whereabouts.conf` names, else `whereabouts.kubeconfig` beside it.
    pub kubeconfig_file: Observed<Kubeconfig>,
    /// `reconciler_cron_expression`.
    pub reconciler: Option<Sourced<String>>,
    /// `nodename`: what the node is called in node-slice mode.
    pub nodename: Observed<Sourced<String>>,
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostsEntry {
    /// The address.
    pub address: IpAddr,
    /// The names, the canonical one first.
    pub names: Vec<String>,
}

/// NetworkManager, as far as files tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkManager {
    /// Its service has processes; none when nothing tells.
    pub is_running: Option<bool>,
    /// `nm-cloud-setup` is enabled as a service or a timer.
    pub cloud_setup: bool,
    /// Devices that it leaves alone: `unmanaged-devices` of `[keyfile]`, and `match-device` of `[device]` sections with
    /// `managed=0`.
    pub unmanaged: Vec<Sourced<String>>,
}

/// systemd-networkd, as far as files tell (networkd.conf(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networkd {
    /// Its service has processes; none when nothing tells.
    pub is_running: Option<bool>,
    /// `ManageForeignRoutes`; networkd takes none for true.
    pub manage_foreign_routes: Option<Sourced<bool>>,
    /// `ManageForeignRoutingPolicyRules`; networkd takes none for true.
    pub manage_foreign_rules: Option<Sourced<bool>>,
    /// `ManageForeignNextHops`; networkd takes none for true.
    pub manage_foreign_next_hops: Option<Sourced<bool>>,
}

/// A program that manages the node's firewall, as far as files tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// Which one.
    pub kind: FirewallKind,
    /// It is on: firewalld's service has processes, ufw is enabled; none when nothing tells.
    pub is_on: Option<bool>,
    /// What its files let in.
    pub passes: Vec<Sourced<Passed>>,
}

/// See [`Firewall`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirewallKind {
    /// firewalld.
    #[default]
    Firewalld,
    /// ufw.
    Ufw,
}

/// What a firewall lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Passed {
    /// Packets of a network.
    Network(IpNet),
    /// Packets that come in by an interface.
    Interface(String),
    /// Packets to UDP ports.
    Ports {
        /// The first.
        first: u16,
        /// The last.
        last: u16,
    },
    /// Everything.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charts_name_in_its_address() {
        for (chart, expected) in [
            ("rke2-canal", "rke2-canal"),
            ("repo/rke2-canal", "rke2-canal"),
            ("oci://charts.example/rke2-multus", "rke2-multus"),
            ("oci://charts.example/assets/rke2-canal-v3.29.0-build2025.tgz?raw=1", "rke2-canal"),
            ("https://%{KUBERNETES_API}%/static/charts/traefik-27.0.2+up27.0.2.tgz", "traefik"),
            ("rke2-canal/", "rke2-canal"),
            ("", ""),
        ] {
            assert_eq!(chart_name(chart), expected, "{chart}");
        }
    }
}
