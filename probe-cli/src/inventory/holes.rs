//! What holes in the tables of a tunnel mean and what helps, in words. Which holes there are is found in `inventory/peers.rs`.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{Mac, node::CALICO_PROTOCOLS};
use crate::{
    facts::{
        files::{HostFiles, Sourced},
        netlink::{LinkFact, RouteFact},
    },
    text::shown,
};

const AGENT: &str =
    "restart the CNI's agent on this node (canal, flannel, calico-node), which writes these entries";

/// The networks of all pods that this node's files name, with the place of each. Empty where none does: then nothing is known to
/// be outside.
#[derive(Debug, Default)]
pub(super) struct ClusterNetworks(Vec<Sourced<IpNet>>);

impl ClusterNetworks {
    /// What flannel is told and wrote down, and what RKE2 and k3s are told.
    pub(super) fn new(files: Option<&HostFiles>) -> Self {
        let Some(files) = files else { return Self::default() };
        let conf = files.flannel.value().into_iter().flat_map(|conf| [&conf.network, &conf.ipv6_network]);
        let env = files.subnet_env.value().into_iter().flat_map(|env| [&env.network, &env.ipv6_network]);
        let settings = files.rke2.value().or_else(|| files.k3s.value());
        let said = settings.and_then(|settings| settings.get("cluster-cidr")).into_iter().flatten();
        let said = said.filter_map(|text| Some(text.with(text.value.trim().parse().ok()?)));
        let networks = conf.chain(env).flatten().cloned().chain(said);
        Self(networks.filter(|network| network.value.prefix_len() > 0).collect())
    }

    /// All of them.
    pub(super) fn networks(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().map(|known| known.value)
    }

    /// Those that `network` is outside of, all of its family, in words; none where it is inside of one, or none is known.
    fn others(&self, network: IpNet) -> Option<String> {
        let of_family =
            || self.0.iter().filter(|known| known.value.addr().is_ipv4() == network.addr().is_ipv4());
        if of_family().any(|known| known.value.contains(&network)) {
            return None;
        }
        let first = of_family().next()?;
        let networks: BTreeSet<String> = of_family().map(|known| known.value.trunc().to_string()).collect();
        let networks: Vec<String> = networks.into_iter().collect();
        // The kubelet's path of a ConfigMap is longer than a line.
        let place = first.place();
        let place = place.rsplit('/').next().unwrap_or(&place);
        Some(format!("{} ({})", networks.join(", "), shown(place)))
    }
}

/// A route whose gateway nobody answers for.
pub(super) fn route_without_neighbour(
    link: &LinkFact,
    route: &RouteFact,
    gateway: IpAddr,
    cluster: &ClusterNetworks,
) -> String {
    let name = shown(&link.name);
    let network = route.destination;
    let delete = delete(network, &link.name);
    // Calico's pools of addresses are in no file.
    let is_calicos = CALICO_PROTOCOLS.contains(&route.protocol);
    match cluster.others(network).filter(|_| !is_calicos) {
        Some(others) => format!(
            "{name}: route {network} via {gateway} is not of this cluster, whose pods are in {others}, and has no neighbour \
             entry for its gateway: it is stale; delete it with `{delete}`"
        ),
        None => format!(
            "{name}: route {network} via {gateway} has no neighbour entry for its gateway, so packets to it are dropped; \
             {AGENT} for nodes of the cluster; if no node has this network any more, delete the route with `{delete}`"
        ),
    }
}

/// The command that deletes the route. A name that a shell would take for more than a name is left out of it.
fn delete(network: IpNet, name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@:".contains(&byte));
    if is_plain { format!("ip route del {network} dev {name}") } else { format!("ip route del {network}") }
}

/// A gateway without a remote node.
pub(super) fn neighbour_without_fdb(link: &LinkFact, neighbour: IpAddr, mac: Mac) -> String {
    let name = shown(&link.name);
    format!("{name}: neighbour {neighbour} ({mac}) has no FDB entry, so packets to it are dropped; {AGENT}")
}

/// A remote node that no pod network is routed to. `own` is its gateway where that is an address of this node.
pub(super) fn fdb_without_route(
    link: &LinkFact,
    mac: Mac,
    node: Option<IpAddr>,
    own: Option<IpAddr>,
) -> String {
    let name = shown(&link.name);
    let node = node.map_or_else(|| "-".to_owned(), |node| node.to_string());
    match own {
        Some(gateway) => format!(
            "{name}: no route leads to the pods of node {node} (VTEP {mac}): its gateway {gateway} is an address of this node, \
             too, so that the kernel refuses the route and packets to these pods stay here; remove {gateway} and the \
             bridge's address of the same network from this node, then {AGENT}"
        ),
        None => format!(
            "{name}: no route resolves to node {node} (VTEP {mac}), so that its pods get no packets from here; {AGENT}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_no_name_that_a_shell_would_run() {
        let network = "10.42.2.0/24".parse().unwrap();
        assert_eq!(delete(network, "flannel-v6.1"), "ip route del 10.42.2.0/24 dev flannel-v6.1");
        for name in ["a;reboot", "$(id)", "a`id`", "a&b", "a|b", "a'b", "fl\u{202e}", "a\nb"] {
            assert_eq!(delete(network, name), "ip route del 10.42.2.0/24", "{name}");
        }
    }
}
