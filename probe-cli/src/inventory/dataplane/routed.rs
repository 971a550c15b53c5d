//! Remote nodes that only routes know: of IP-in-IP devices, whose destination is the route's gateway, and of data planes that
//! wrap nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::{RoutedPeer, signs::NodeSigns};
use crate::inventory::{TunnelKind, node::siblings};

/// By device and address.
pub(super) fn peers(signs: &NodeSigns<'_>) -> Vec<RoutedPeer> {
    let mut found: BTreeMap<(u32, IpAddr), BTreeSet<IpNet>> = BTreeMap::new();
    let of_ipip = signs.inventory.other_tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Ipip);
    let by_tunnel = of_ipip.flat_map(|tunnel| signs.routes(tunnel.ifindex));
    let own = || signs.inventory.node.pod_cidrs.iter();
    let directly = own().flat_map(|own| siblings(signs.index, own.cidr));
    for route in by_tunnel.chain(directly) {
        if let (Some(ifindex), Some(gateway)) = (route.ifindex, route.gateway) {
            found.entry((ifindex, gateway)).or_default().insert(route.destination);
        }
    }
    found
        .into_iter()
        .map(|((ifindex, node_address), pod_cidrs)| RoutedPeer {
            ifindex,
            node_address,
            pod_cidrs: pod_cidrs.into_iter().collect(),
        })
        .collect()
}
