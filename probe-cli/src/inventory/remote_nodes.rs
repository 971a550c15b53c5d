//! How many other nodes are known. A node of two families is a peer of the tunnel of each, and one that is on its way from one
//! backend to another a peer of both; the kernel's tables do not say which peers are one node. No tables.

use std::{collections::BTreeSet, net::IpAddr};

use super::Inventory;

/// Numbers of other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteNodes {
    /// Nodes that are known by an IPv4 address.
    pub ipv4: usize,
    /// Nodes that are known by an IPv6 address.
    pub ipv6: usize,
    /// Peers whose node's address is not known.
    pub elsewhere: usize,
    /// At least so many nodes are there: those of the family with more, and of both where `/etc/hosts` has names that tell them
    /// apart; and those whose address is not known.
    pub at_least: usize,
}

impl Inventory {
    /// False where a device in use leads to nodes that no table of the kernel names: Cilium and Calico's eBPF data plane keep
    /// them in eBPF maps.
    pub fn knows_all_peers(&self) -> bool {
        let mut devices = self.data_planes.iter().flat_map(|plane| &plane.devices);
        devices.all(|device| device.peers.is_some() || device.stale.is_some())
    }

    /// How many other nodes are known.
    pub fn remote_nodes(&self) -> RemoteNodes {
        let peers = self.peers.iter().map(|peer| peer.node_address);
        let addresses = peers.chain(self.routed_peers.iter().map(|peer| Some(peer.node_address)));
        let mut elsewhere = 0;
        let mut known: BTreeSet<IpAddr> = BTreeSet::new();
        for address in addresses {
            match address {
                Some(address) => drop(known.insert(address)),
                None => elsewhere += 1,
            }
        }
        let names: BTreeSet<&str> =
            known.iter().filter_map(|address| self.node_names.get(address)).map(String::as_str).collect();
        let count = |is_v6: bool, is_named: bool| {
            let of = known.iter().filter(|address| address.is_ipv6() == is_v6);
            of.filter(|address| is_named || !self.node_names.contains_key(address)).count()
        };
        RemoteNodes {
            ipv4: count(false, true),
            ipv6: count(true, true),
            elsewhere,
            at_least: names.len() + count(false, false).max(count(true, false)) + elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::files::{HostsEntry, Sourced},
        inventory::testdata::*,
    };

    fn counted(inventory: &Inventory) -> [usize; 4] {
        let RemoteNodes { ipv4, ipv6, elsewhere, at_least } = inventory.remote_nodes();
        [ipv4, ipv6, elsewhere, at_least]
    }

    #[test]
    fn a_node_is_one_however_many_peers_it_is() {
        assert_eq!(counted(&of_kernel(&node())), [0, 0, 0, 0]);
        assert_eq!(counted(&of_kernel(&flannel4(node(), 2))), [2, 0, 0, 2]);
        let both = of_kernel(&flannel6(flannel4(node(), 3), 2));
        assert_eq!((both.peers.len(), counted(&both)), (5, [3, 2, 0, 3]));

        // Half-way from VXLAN to WireGuard: 192.0.2.2 is a peer of both devices.
        let mut facts = flannel4(node(), 2);
        facts.links.push(wireguard(9, "flannel-wg"));
        facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
        let halfway = of_kernel(&facts);
        assert_eq!((halfway.peers.len(), counted(&halfway)), (3, [2, 0, 0, 2]));

        // A peer that has not said where it is.
        let mut fact = wireguard_fact(9, 51820, &["10.42.9.0/24"]);
        fact.peers[0].endpoint = None;
        facts.wireguard = vec![told(fact)].into_iter().collect();
        assert_eq!(counted(&of_kernel(&facts)), [2, 0, 1, 3]);
    }

    #[test]
    fn names_tell_which_addresses_are_one_node() {
        let mut inventory = of_kernel(&flannel6(flannel4(node(), 2), 2));
        let line = |address: &str, name: &str| Sourced {
            value: HostsEntry { address: ip(address), names: vec![name.to_owned()] },
            file: "/etc/hosts".to_owned(),
            line: None,
        };
        inventory.name_nodes(&[line("192.0.2.2", "a"), line("2001:db8::2", "a")]);
        assert_eq!(counted(&inventory), [2, 2, 0, 2]);
        // 2001:db8::3 is not the node that 192.0.2.3 is.
        inventory.name_nodes(&[line("192.0.2.3", "b"), line("2001:db8::3", "c")]);
        assert_eq!(counted(&inventory), [2, 2, 0, 3]);
    }
}
