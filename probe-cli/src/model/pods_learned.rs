//! Path MTUs that pods were told: what is in the route caches of their own network namespaces, where each "too big" message that
//! this node or somebody on the way has sent them is kept. Those of the node itself are in `learned`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{Model, MtuPath, Pod};
use crate::facts::{netlink::PmtuException, network::InsideFacts};

/// What one pod was told of the path to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLearnedMtu {
    /// The pod's [`Pod::label`], or the path of its namespace. Hostile input: escape before showing.
    pub pod: String,
    /// The address that packets of this size get to.
    pub destination: IpAddr,
    /// Bytes of the pod's IP packet.
    pub mtu: u32,
    /// Seconds until the pod forgets it; none when the kernel does not say.
    pub expires_s: Option<u64>,
}

/// What pods were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodsLearned {
    /// The smallest first.
    pub rows: Vec<PodLearnedMtu>,
    /// Further ones in the pods' namespaces, to whatever address, which were not read.
    pub left_out: u64,
}

/// What pods were told of addresses of pods behind a path.
pub fn pods_learned(model: &Model, path: &MtuPath) -> PodsLearned {
    let inventory = &model.inventory;
    let by_tunnel = inventory.peers.iter().filter(|peer| peer.tunnel == path.ifindex);
    let by_route = inventory.routed_peers.iter().filter(|peer| peer.ifindex == path.ifindex);
    let cidrs = by_tunnel.map(|peer| &peer.pod_cidrs).chain(by_route.map(|peer| &peer.pod_cidrs));
    let networks: BTreeSet<IpNet> = cidrs.flatten().map(IpNet::trunc).collect();
    // Few lengths: a look-up of each is cheap, where a thousand nodes and whatever pods were told are not.
    let lengths: BTreeSet<u8> = networks.iter().map(IpNet::prefix_len).collect();
    let is_behind = |address: IpAddr| {
        let around = |length| IpNet::new(address, length).map(|network| network.trunc());
        lengths.iter().any(|length| around(*length).is_ok_and(|network| networks.contains(&network)))
    };
    let by_netns = inventory.pods.iter().filter_map(|pod| Some((pod.netns.as_deref()?, pod)));
    let pods: BTreeMap<&str, _> = by_netns.collect();
    let mut found = PodsLearned::default();
    for inside in model.snapshot.inside.iter() {
        let Some(told) = inside.told.value() else { continue };
        let pod = pods.get(inside.path.as_str());
        let of_pod = learned_in(told, || pod.map_or_else(|| inside.path.clone(), |pod| pod.label()));
        found.left_out += of_pod.left_out;
        found.rows.extend(of_pod.rows.into_iter().filter(|row| is_behind(row.destination)));
    }
    found.sorted()
}

/// What one pod was told, of whatever address.
pub fn pod_learned(model: &Model, pod: &Pod) -> PodsLearned {
    let inside = model.snapshot.inside.iter().find(|inside| Some(&inside.path) == pod.netns.as_ref());
    let told = inside.and_then(|inside| inside.told.value());
    told.map(|told| learned_in(told, || pod.label()).sorted()).unwrap_or_default()
}

fn learned_in(told: &InsideFacts, pod: impl Fn() -> String) -> PodsLearned {
    let row = |known: &PmtuException| PodLearnedMtu {
        pod: pod(),
        destination: known.destination,
        mtu: known.mtu,
        expires_s: known.expires_s,
    };
    let tables = [&told.pmtu_ipv4, &told.pmtu_ipv6].into_iter().filter_map(|table| table.value());
    tables.fold(PodsLearned::default(), |mut found, table| {
        found.rows.extend(table.rows.iter().map(row));
        found.left_out += table.left_out;
        found
    })
}

impl PodsLearned {
    fn sorted(mut self) -> Self {
        self.rows.sort_by(|one, other| {
            (one.mtu, &one.pod, one.destination).cmp(&(other.mtu, &other.pod, other.destination))
        });
        self
    }
}
