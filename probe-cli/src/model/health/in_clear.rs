//! Packets of pods outside the tunnel that they belong in, as the devices below it carried them in the last interval. What is
//! routed without a tunnel because it is meant so is counted apart, and is no fault.

use std::sync::Arc;

use super::Problem;
use crate::{
    inventory::{PeerKey, PodNetworkOf, TunnelKind},
    model::{Condition, Fault, Model, PeerRow},
    sample::PerDirection,
    text::{self, shown},
};

/// One for each peer, and for each "other".
pub(super) fn faults(model: &Model) -> Vec<Fault> {
    let of = |row: &PeerRow| {
        let rates = rates(row)?;
        let goes = PerDirection { tx: rates.tx > 0.0, rx: rates.rx > 0.0 };
        let is_known = row.gone == 0 && model.inventory.is_of_cni(row.tunnel);
        let key = row.peer.as_ref().map(|peer| peer.key);
        (is_known && (goes.tx || goes.rx)).then_some(Fault::InClear { tunnel: row.tunnel, key, goes })
    };
    model.peers.iter().filter_map(of).collect()
}

/// Gives the rows their condition where nothing else is wrong with them, and tells what is well.
pub(super) fn mark(model: &mut Model) {
    let inventory = Arc::clone(&model.inventory);
    let of = |row: &PeerRow| (row.tunnel, row.peer.as_ref().map(|peer| peer.key));
    let found = |of: (u32, Option<PeerKey>)| move |fault: &Fault| matches!(fault, Fault::InClear { tunnel, key, .. } if (*tunnel, *key) == of);
    for row in &mut model.peers {
        if row.gone == 0 && !row.condition.is_wrong() && model.faults.iter().any(found(of(row))) {
            row.condition = Condition::InClear;
        }
    }
    let is_of = |tunnel: u32| move |fault: &Fault| matches!(fault, Fault::InClear { tunnel: of, .. } if *of == tunnel);
    for row in &mut model.tunnels {
        if !row.condition.is_wrong() && model.faults.iter().any(is_of(row.tunnel.ifindex)) {
            row.condition = Condition::InClear;
        }
    }
    let in_use = || model.tunnels.iter().filter(|row| inventory.is_in_use(row.tunnel.ifindex));
    let is_counted = in_use().all(|row| row.outer.is_some_and(|outer| outer.tx.rate.is_some()));
    let is_looked_at = in_use().next().is_some() && !inventory.pod_networks.is_empty();
    if is_counted && is_looked_at && !model.faults.iter().any(|fault| matches!(fault, Fault::InClear { .. }))
    {
        model.checked.push("no packet of pods outside the tunnels".to_owned());
    }
}

/// Packets per second, each way.
fn rates(row: &PeerRow) -> Option<PerDirection<f64>> {
    let outer = row.outer?;
    Some(PerDirection { tx: outer.tx.rate?.in_clear_per_s, rx: outer.rx.rate?.in_clear_per_s })
}

/// What is told of one.
pub(super) fn problem(
    model: &Model,
    ifindex: u32,
    key: Option<PeerKey>,
    goes: PerDirection<bool>,
) -> Option<Problem> {
    let tunnel = model.inventory.tunnel(ifindex)?;
    let is_it = |row: &&PeerRow| {
        row.gone == 0 && row.tunnel == ifindex && row.peer.as_ref().map(|peer| peer.key) == key
    };
    let row = model.peers.iter().find(is_it)?;
    let rates = rates(row)?;
    let name = shown(&tunnel.name);
    let below: Vec<String> = tunnel.underlays().map(|below| shown(&below.name)).collect();
    let below = below.join(", ");
    let how = match tunnel.kind {
        TunnelKind::Wireguard => "unencrypted, outside the tunnel",
        TunnelKind::Vxlan | TunnelKind::Ipip | TunnelKind::Geneve | TunnelKind::Udp => "outside the tunnel",
    };
    let (who, of, cure) = match row.label() {
        Some(label) => {
            let node = text::escape(&label);
            let cure =
                if goes.tx { routed_by(model, ifindex, key) } else { format!("check the routes of {node}") };
            (node.clone(), format!("pods of {node}"), cure)
        }
        None => (
            "other".to_owned(),
            "pod addresses of no node".to_owned(),
            "the pod or its node is gone, or a route is missing".to_owned(),
        ),
    };
    let [sent, received] = [rates.tx, rates.rx].map(text::si);
    let words = match (goes.tx, goes.rx) {
        (true, false) => format!("{sent} packets/s to {of} leave by {below} {how}; {cure}"),
        (false, _) => format!("{received} packets/s from {of} arrive on {below} {how}; {cure}"),
        (true, true) => {
            format!("{sent} packets/s to {of} and {received} from them are on {below} {how}; {cure}")
        }
    };
    Some(Problem { key: format!("in clear {name} {who}"), words: format!("{name}: {words}") })
}

/// How to find the route that takes packets to a peer's pods.
fn routed_by(model: &Model, tunnel: u32, key: Option<PeerKey>) -> String {
    let is_its = |of: PodNetworkOf| matches!(of, PodNetworkOf::Peer { tunnel: ifindex, key: peer } if ifindex == tunnel && Some(peer) == key);
    let network = model.inventory.pod_networks.iter().find(|network| is_its(network.of));
    let address = network.and_then(|found| found.network.hosts().next());
    let address = address.map_or_else(|| "ADDRESS_OF_SUCH_A_POD".to_owned(), |address| address.to_string());
    format!("`ip route get {address}` shows the route that takes them")
}
