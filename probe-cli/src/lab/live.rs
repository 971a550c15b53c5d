//! Changing a lab that runs: pods and peers that come and go.

use std::net::IpAddr;

use super::{
    down,
    error::LabError,
    plan, registry,
    registry::{Lab, Pod},
    up,
};
use crate::{
    netlink::configure::{Step, configure},
    netns,
};

/// Adds a pod to a node.
pub fn add_pod(
    prefix: &str,
    node: u16,
    number: u16,
    namespace: &str,
    name: &str,
    addresses: Vec<IpAddr>,
) -> Result<Pod, LabError> {
    let mut lab = read(prefix)?;
    let options = lab.options.clone();
    let entry = part(&mut lab, node)?;
    let host = netns::open(&entry.netns)?;
    let pod = up::pod(
        &options,
        &host,
        &options.pod(node, number),
        namespace.to_owned(),
        name.to_owned(),
        addresses,
    )?;
    entry.pods.push(pod.clone());
    registry::write(&lab)?;
    Ok(pod)
}

/// Removes a pod from a node.
pub fn remove_pod(prefix: &str, node: u16, namespace: &str, name: &str) -> Result<(), LabError> {
    let mut lab = read(prefix)?;
    let entry = part(&mut lab, node)?;
    let index = entry
        .pods
        .iter()
        .position(|pod| pod.namespace == namespace && pod.name == name)
        .ok_or_else(|| LabError::NoPart { what: format!("pod {namespace}/{name} on node {node}") })?;
    let pod = entry.pods.remove(index);
    configure(&netns::open(&entry.netns)?, &[Step::Delete { name: pod.host_ifname }])?;
    down::remove_one(prefix, &pod.netns)?;
    registry::write(&lab)
}

/// Gives a node's tunnel of one family a peer.
pub fn add_peer(prefix: &str, node: u16, peer: u16, is_v6: bool) -> Result<(), LabError> {
    let mut lab = read(prefix)?;
    let host = netns::open(&part(&mut lab, node)?.netns)?;
    Ok(configure(&host, &plan::peer_steps(is_v6, peer))?)
}

/// Takes it away again.
pub fn remove_peer(prefix: &str, node: u16, peer: u16, is_v6: bool) -> Result<(), LabError> {
    let mut lab = read(prefix)?;
    let host = netns::open(&part(&mut lab, node)?.netns)?;
    Ok(configure(&host, &plan::forget_peer_steps(is_v6, peer))?)
}

fn read(prefix: &str) -> Result<Lab, LabError> {
    plan::check_prefix(prefix)?;
    registry::read(prefix).ok_or_else(|| LabError::NoLab { prefix: prefix.to_owned() })
}

fn part(lab: &mut Lab, node: u16) -> Result<&mut registry::Node, LabError> {
    lab.nodes
        .iter_mut()
        .find(|entry| entry.number == node)
        .ok_or_else(|| LabError::NoPart { what: format!("node {node}") })
}
