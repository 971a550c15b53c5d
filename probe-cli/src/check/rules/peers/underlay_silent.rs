//! Another node does not answer ARP or neighbour discovery on the network below.

use std::{net::IpAddr, time::Duration};

use super::super::prelude::*;
use crate::{
    facts::netlink::{NeighbourState, NeighbourStateFact},
    text,
};

/// A transmission so many seconds ago is recent.
const RECENT_S: u64 = 60;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-underlay-silent",
    family: Family::Peers,
    title: "another node does not answer on the network below",
    symptom: "Pods of one other node are not reached, and the node itself is not, either.",
    core: false,
    needs: &[Need::UnderlayNeighbours],
    explained_by: &["dataplane-underlay-down"],
    explain: Explain {
        how: "The state of the neighbour entries of other nodes' addresses, and of next hops to pod networks, on the devices \
              below tunnels: FAILED. It is a warning where nothing was sent to the node for a minute.",
        why: "The node is off, has another address by now, or the network between is broken. With host-gw and IPv6 the next hop \
              may be a privacy address of that node, which has expired.",
        fix: "Check the node. Where its address changed, restart the CNI's agent there, so that it announces the new one.",
        not_if: "The node was shut down on purpose.",
        seen_in: "flannel#2293, k3s#12459",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let by_tunnel = inventory.peers.iter().filter_map(|peer| peer.node_address);
    let by_route = inventory.routed_peers.iter().map(|peer| peer.node_address);
    let mut addresses: Vec<IpAddr> = by_tunnel.chain(by_route).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        return Outcome::DoesNotApply("no peer's address is known");
    }
    let devices = &model.snapshot.network.devices;
    let rows = || devices.iter().filter_map(|device| device.neighbours.value()).flat_map(|table| &table.rows);
    let is_silent = |row: &&NeighbourStateFact| row.state == Some(NeighbourState::Failed);
    let silent = |address: &IpAddr| {
        let mut entries = rows().filter(|row| row.address == *address).peekable();
        entries.peek()?;
        // A node that answers on one device is there.
        let entries: Vec<&NeighbourStateFact> = entries.collect();
        entries.iter().all(is_silent).then(|| entries[0].clone())
    };
    let found: Vec<NeighbourStateFact> = addresses.iter().filter_map(silent).collect();
    let findings = found.iter().map(|row| {
        let address = row.address;
        let device = model.inventory.links.links.iter().find(|link| link.ifindex == row.ifindex);
        let device = device.map_or_else(|| row.ifindex.to_string(), |link| escape(&link.name));
        let networks = inventory
            .routed_peers
            .iter()
            .filter(|peer| peer.node_address == address)
            .flat_map(|peer| &peer.pod_cidrs)
            .chain(inventory.peers.iter().filter(|peer| peer.node_address == Some(address)).flat_map(|peer| &peer.pod_cidrs))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        // An entry stays for long after the last packet: only one that is used tells of now.
        let last = inventory.peers.iter().filter(|peer| peer.node_address == Some(address));
        let is_used = last.filter_map(|peer| peer.last_tx_age_s).any(|age| age < RECENT_S);
        let is_routed = inventory.routed_peers.iter().any(|peer| peer.node_address == address);
        let is_asked = row.updated_s.is_none_or(|age| age < RECENT_S);
        let severity = if is_used || is_routed && is_asked { Fail } else { Warn };
        let finding = Finding::new(
            severity,
            SubjectKind::Peer,
            &address.to_string(),
            format!("{address} did not answer on {device} when it was asked last: pods of {networks} are not reached."),
        )
        .on(row.ifindex)
        .seen(format!("neighbour {address}"), failed_since(row.updated_s), format!("ip -s neigh show dev {device}"));
        if is_random(address) {
            finding
                .seen("interface identifier", "random", "looks like a privacy address (RFC 8981)")
                .fix_elsewhere(
                    "restart the CNI's agent on that node, which announces its present address; give nodes a stable address \
                     (node-ip) and set net.ipv6.conf.IF.use_tempaddr=0 there.",
                )
        } else {
            finding.fix_elsewhere(
                "check that node's power, NIC and address; where its address changed, restart its CNI agent. A ping to it makes \
                 the kernel ask again: the entry of a node that came back stays FAILED until something is sent to it.",
            )
        }
    });
    Outcome::Judged(findings.collect())
}

/// The kernel keeps the entry, and asks again with the next packet only (`neigh_timer_handler`, `__neigh_event_send`, 6.18).
fn failed_since(updated_s: Option<u64>) -> String {
    updated_s.map_or_else(
        || "FAILED".to_owned(),
        |age| format!("FAILED, {} ago", text::age(Some(Duration::from_secs(age)))),
    )
}

/// An IPv6 address whose interface identifier is neither made of a MAC address (RFC 4291, appendix A) nor written by hand.
fn is_random(address: IpAddr) -> bool {
    let IpAddr::V6(address) = address else { return false };
    let identifier = &address.octets()[8..];
    let is_eui64 = identifier[3] == 0xff && identifier[4] == 0xfe;
    let is_by_hand = identifier.windows(2).any(|pair| pair == [0, 0]);
    !is_eui64 && !is_by_hand
}
