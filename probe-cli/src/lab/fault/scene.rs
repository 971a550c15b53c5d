//! What faults are made of: the lab with one of its nodes, and the parts of a change with what undoes each.

use std::collections::BTreeMap;

use crate::{
    lab::{
        files,
        plan::{self, LabOptions, PeerEntries},
        registry::{Lab, Node, Pod},
    },
    netlink::configure::{Step, Vxlan},
};

/// Public keys of WireGuard devices, by node and name.
pub(super) type Keys = BTreeMap<u16, BTreeMap<String, [u8; 32]>>;

/// What a lab must be or have, to be given a fault.
#[derive(Debug)]
pub(super) struct Unfit(pub(super) &'static str);

/// Where steps are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the node.
    Node,
    /// In one of its pods.
    Pod(u16),
    /// On the network between the nodes.
    Underlay,
}

/// A part of a fault. What undoes it makes what the lab was built with.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// In the kernel.
    Steps {
        /// See [`Place`].
        place: Place,
        /// What is done.
        make: Vec<Step>,
        /// What undoes it, whole or half.
        undo: Vec<Step>,
    },
    /// A pod has a macvlan interface above a device that the fault has made on the node, and goes with it.
    Macvlan {
        /// The pod, from 1.
        pod: u16,
        /// The interface's name in it.
        name: String,
        /// The device on the node.
        below: String,
    },
    /// A file of the node has another text, or is new.
    File {
        /// Its path below the node's root.
        path: String,
        /// Its text.
        text: String,
    },
    /// A file of the node is not there.
    Gone {
        /// Its path below the node's root.
        path: String,
    },
    /// A new symbolic link among the node's files.
    Link {
        /// Its path below the node's root.
        path: String,
        /// Where it points to.
        target: &'static str,
    },
}

impl Part {
    /// It is among the node's files.
    pub(super) fn is_file(&self) -> bool {
        !matches!(self, Self::Steps { .. } | Self::Macvlan { .. })
    }
}

/// Steps on the node.
pub(super) fn on_node(make: Vec<Step>, undo: Vec<Step>) -> Part {
    Part::Steps { place: Place::Node, make, undo }
}

/// A sysctl of the node's.
pub(super) fn sysctl(path: &str, value: &str) -> Step {
    Step::Sysctl { path: path.to_owned(), value: value.to_owned() }
}

/// The lab, and the node that gets the fault.
pub(super) struct Scene<'a> {
    lab: &'a Lab,
    node: &'a Node,
    keys: &'a Keys,
}

impl<'a> Scene<'a> {
    pub(super) fn new(lab: &'a Lab, node: &'a Node, keys: &'a Keys) -> Self {
        Self { lab, node, keys }
    }

    pub(super) fn options(&self) -> &'a LabOptions {
        &self.lab.options
    }

    /// The node's number.
    pub(super) fn number(&self) -> u16 {
        self.node.number
    }

    /// Another node.
    pub(super) fn peer(&self) -> u16 {
        if self.node.number == 2 { 1 } else { 2 }
    }

    /// Yet another one.
    pub(super) fn third(&self) -> Result<u16, Unfit> {
        let mut others =
            (1..=self.options().nodes).filter(|&node| node != self.node.number && node != self.peer());
        others.next().ok_or(Unfit("a lab with three nodes"))
    }

    /// The lab has no IPv4, so that its faults are those of IPv6.
    pub(super) fn is_v6(&self) -> bool {
        !self.options().family.v4()
    }

    /// What the tables say of a peer, in the lab's first family.
    pub(super) fn entries(&self, peer: u16) -> PeerEntries {
        plan::peer_entries(self.is_v6(), peer)
    }

    /// The node's VXLAN devices.
    pub(super) fn tunnels(&self) -> Vec<Vxlan> {
        plan::tunnels(self.options(), self.number())
    }

    /// The one of the lab's first family.
    pub(super) fn tunnel(&self) -> Result<Vxlan, Unfit> {
        self.tunnels().into_iter().next().ok_or(Unfit("a lab with --dataplane vxlan"))
    }

    /// Makes all of a VXLAN device that is not there, in it and about its peers.
    pub(super) fn remade(&self, tunnel: &Vxlan) -> Vec<Step> {
        plan::tunnel_and_peers(self.options(), tunnel, self.number())
    }

    /// Makes all that the NIC has.
    pub(super) fn nic(&self) -> Vec<Step> {
        plan::nic_steps(self.options().family, self.number())
    }

    /// The public key of a node's WireGuard device.
    pub(super) fn key(&self, node: u16, device: &str) -> Option<[u8; 32]> {
        self.keys.get(&node)?.get(device).copied()
    }

    /// One of the node's pods, from 1.
    pub(super) fn pod(&self, number: u16) -> Result<&'a Pod, Unfit> {
        let index = usize::from(number.saturating_sub(1));
        self.node.pods.get(index).ok_or(Unfit("a lab with two pods on each node"))
    }

    /// The node's pods.
    pub(super) fn pods(&self) -> &'a [Pod] {
        &self.node.pods
    }

    /// The node's file whose path ends like this.
    pub(super) fn file(&self, path: &str) -> Result<(String, String), Unfit> {
        let mut files = files::files(self.lab, self.node).into_iter();
        files.find(|(of, _)| of.ends_with(path)).ok_or(Unfit("the first node, which is the server: --node 1"))
    }

    /// That file with one text in place of another.
    pub(super) fn edited(&self, path: &str, from: &str, to: &str) -> Result<Part, Unfit> {
        let (path, text) = self.file(path)?;
        if !text.contains(from) {
            return Err(Unfit("the first node, which is the server: --node 1"));
        }
        Ok(Part::File { path, text: text.replace(from, to) })
    }
}
