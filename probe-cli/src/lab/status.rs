//! What of a lab exists.

use std::net::IpAddr;

use super::{error::LabError, registry};
use crate::netns;

/// A lab, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its prefix.
    pub prefix: String,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// Faults that it was given: name, and the node's namespace.
    pub faults: Vec<(String, String)>,
}

/// A node, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Name of its network namespace.
    pub netns: String,
    /// Its namespace is there, and is the one that was built.
    pub present: bool,
    /// Addresses of its NIC.
    pub addresses: Vec<IpAddr>,
    /// Its pods: name, addresses, present.
    pub pods: Vec<(String, Vec<IpAddr>, bool)>,
}

/// Looks at a lab.
pub fn status(prefix: &str) -> Result<Status, LabError> {
    super::plan::check_prefix(prefix)?;
    let lab = registry::read(prefix).ok_or_else(|| LabError::NoLab { prefix: prefix.to_owned() })?;
    let names = netns::list();
    let faults =
        lab.faults.iter().map(|injected| (injected.fault.clone(), lab.options.node(injected.node))).collect();
    let nodes = lab
        .nodes
        .into_iter()
        .map(|node| NodeStatus {
            present: netns::open(&node.netns)
                .ok()
                .and_then(|namespace| namespace.identity().ok())
                .is_some_and(|identity| identity == node.identity),
            netns: node.netns,
            addresses: node.addresses,
            pods: node
                .pods
                .into_iter()
                .map(|pod| {
                    (format!("{}/{}", pod.namespace, pod.name), pod.addresses, names.contains(&pod.netns))
                })
                .collect(),
        })
        .collect();
    Ok(Status { prefix: prefix.to_owned(), nodes, faults })
}
