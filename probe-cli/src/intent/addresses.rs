//! The cluster's networks by family, and the node's addresses and name.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::{
    facts::files::{HostFiles, Settings, Sourced},
    intent::{
        Basis, Cni, Intended, Intent,
        agree::{agree, default, follows, like, parsed, place, said},
        charts,
        distribution::is_server,
    },
    text::shown,
};

/// What RKE2 and k3s take without configuration (k3s pkg/cli/cmds/server.go).
const CLUSTER: &str = "10.42.0.0/16";
const SERVICES: &str = "10.43.0.0/16";

pub(super) fn join(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let cluster = settings(files, "cluster-cidr", notes);
    let applied_cluster = chart_networks(files, intent, "global.clusterCIDR", notes);
    let service = settings(files, "service-cidr", notes);
    let applied_service = chart_networks(files, intent, "global.serviceCIDR", notes);
    let remedy = "the CNI gives pods addresses of the one, and Kubernetes expects the other";
    for is_v6 in [false, true] {
        let family = if is_v6 { "IPv6" } else { "IPv4" };
        let of = |networks: &[Sourced<IpNet>]| of_family(networks, is_v6);
        let [conf, env] = flannels_networks(files, intent, is_v6);
        let cluster = [of(&cluster), of(&applied_cluster), conf, env];
        intent.cluster_cidrs.extend(agree(&format!("{family} cluster CIDR"), remedy, cluster, notes));
        let service = [of(&service), of(&applied_service)];
        intent.service_cidrs.extend(agree(&format!("{family} service CIDR"), remedy, service, notes));
        let env = files.subnet_env.value();
        let pods = env.and_then(|env| if is_v6 { env.ipv6_subnet.clone() } else { env.subnet.clone() });
        // flannel writes the address of the bridge, which is the first of the network (pkg/subnet, `WriteSubnetFile`).
        intent.pod_cidrs.extend(pods.map(|pods| said(pods.with(pods.value.trunc()))));
    }
    // Only servers say these; an agent without them is told by its server.
    if is_server(files) && is_told(files) {
        if intent.cluster_cidrs.is_empty() {
            intent.cluster_cidrs.extend(CLUSTER.parse().ok().map(default));
        }
        if intent.service_cidrs.is_empty() {
            intent.service_cidrs.extend(SERVICES.parse().ok().map(default));
        }
    }
    intent.node_ips = settings(files, "node-ip", notes).into_iter().map(said).collect();
    intent.node_external_ips = settings(files, "node-external-ip", notes).into_iter().map(said).collect();
    families(files, intent, notes);
    node_name(files, intent, notes);
}

/// RKE2's or k3s' configuration is known, be it that there is none.
fn is_told(files: &HostFiles) -> bool {
    files.rke2.trouble().is_none() && files.k3s.trouble().is_none()
}

fn distribution(files: &HostFiles) -> Option<&Settings> {
    files.rke2.value().or_else(|| files.k3s.value())
}

/// The values of a setting that are what they should be.
fn settings<T: FromStr>(files: &HostFiles, key: &str, notes: &mut Vec<String>) -> Vec<Sourced<T>> {
    let found = distribution(files).and_then(|settings| settings.get(key));
    let what = if key.ends_with("-cidr") { "CIDR" } else { "address" };
    found.into_iter().flatten().filter_map(|value| parsed(what, value, notes)).collect()
}

fn of_family(networks: &[Sourced<IpNet>], is_v6: bool) -> Option<Intended<IpNet>> {
    networks.iter().find(|network| is_v6 == matches!(network.value, IpNet::V6(_))).cloned().map(said)
}

/// What RKE2 wrote into the CNI's chart, several between commas.
fn chart_networks(
    files: &HostFiles,
    intent: &Intent,
    key: &str,
    notes: &mut Vec<String>,
) -> Vec<Sourced<IpNet>> {
    let chart = match intent.cni.as_ref().map(|cni| &cni.value) {
        Some(Cni::Canal) => "rke2-canal",
        Some(Cni::Flannel) => "rke2-flannel",
        Some(Cni::Calico) => "rke2-calico",
        Some(Cni::Cilium) => "rke2-cilium",
        _ => return Vec::new(),
    };
    let Some(found) = charts::value(files, chart, key) else { return Vec::new() };
    let parts = found.value.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.filter_map(|part| parsed("CIDR", &found.with(part.to_owned()), notes)).collect()
}

/// The cluster CIDR of one family in flannel's own files: what it is told, and what it wrote down.
fn flannels_networks(files: &HostFiles, intent: &Intent, is_v6: bool) -> [Option<Intended<IpNet>>; 2] {
    let cni = intent.cni.as_ref().map(|cni| &cni.value);
    let is_flannel = matches!(cni, Some(Cni::Canal | Cni::Flannel | Cni::K3sFlannel));
    let conf = files.flannel.value().filter(|_| is_flannel);
    let conf = conf.and_then(|conf| if is_v6 { conf.ipv6_network.clone() } else { conf.network.clone() });
    let env = files.subnet_env.value().filter(|_| is_flannel);
    let env = env.and_then(|env| if is_v6 { env.ipv6_network.clone() } else { env.network.clone() });
    // k3s writes a network that nobody uses for a family that is off.
    let real = |network: &Sourced<IpNet>| network.value.prefix_len() > 0;
    [conf.filter(real).map(said), env.filter(real).map(said)]
}

fn families(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let of = |is_v6: bool| {
        let of_cluster = intent.cluster_cidrs.iter().find(|cidr| is_v6 == matches!(cidr.value, IpNet::V6(_)));
        let found = of_cluster.map(|cidr| like(cidr, true, basis(cidr)));
        // Of a cluster with networks of the other family only, it is known that it has none of this one.
        let other = intent.cluster_cidrs.first().map(|cidr| like(cidr, false, basis(cidr)));
        found.or(other)
    };
    let (ipv4, ipv6) = (of(false), of(true));
    let Some(conf) = files.flannel.value() else {
        (intent.ipv4, intent.ipv6) = (ipv4, ipv6);
        return;
    };
    let remedy = "flannel carries the families of its own configuration only";
    let said_or = |flag: &Option<Sourced<bool>>, default: bool| {
        let silent = || Sourced { value: default, file: conf.file.clone(), line: None };
        Some(flag.clone().map_or_else(|| follows(&silent(), default), said))
    };
    intent.ipv4 = agree("IPv4", remedy, [ipv4, said_or(&conf.enable_ipv4, true)], notes);
    intent.ipv6 = agree("IPv6", remedy, [ipv6, said_or(&conf.enable_ipv6, false)], notes);
}

fn basis<T>(of: &Intended<T>) -> Basis {
    match of.basis {
        Basis::Default => Basis::Default,
        Basis::Configured | Basis::Inferred => Basis::Inferred,
    }
}

fn node_name(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let configured =
        distribution(files).and_then(|settings| settings.get("node-name")?.last()).cloned().map(said);
    let calico = files.calico_nodename.value().cloned().map(said);
    let remedy =
        "Calico looks for pods under a name that the node does not have: remove its file and restart it";
    let found = agree("node name", remedy, [configured, calico], notes);
    // The kubelet takes the hostname in lower case.
    let hostname = || files.hostname.value().map(|name| follows(name, name.value.to_lowercase()));
    intent.node_name = found.or_else(hostname);
    for (is_v6, family) in [(false, &intent.ipv4), (true, &intent.ipv6)] {
        let Some(family) = family.as_ref().filter(|family| family.value) else { continue };
        let has = |address: &Intended<IpAddr>| address.value.is_ipv6() == is_v6;
        if let Some(address) = intent.node_ips.first()
            && !intent.node_ips.iter().any(has)
        {
            let name = if is_v6 { "IPv6" } else { "IPv4" };
            notes.push(format!(
                "{}: node-ip {} has no {name} address, but {} has an {name} network: pods of this node will not reach \
                 others by {name}",
                place(address),
                shown(&address.value.to_string()),
                place(family),
            ));
        }
    }
}
