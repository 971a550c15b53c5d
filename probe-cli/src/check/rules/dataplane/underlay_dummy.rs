//! A tunnel sends by a device that leads nowhere.

use super::super::{agent, prelude::*};
use crate::model::Underlay;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-underlay-dummy",
    family: Family::Dataplane,
    title: "a tunnel sends its packets by a dummy device",
    symptom: "Pods of this node reach no pod of another node; nothing is logged, and no counter shows a loss.",
    core: false,
    needs: &[Need::TunnelTables, Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "The kind of the device below each tunnel that has peers: `dummy`.",
        why: "The node's address or default route is on a dummy device, which the CNI took for the NIC. What is sent by it is gone.",
        fix: "Name the NIC (flannel.iface, k3s: flannel-iface), or move the address and the route to it, and restart the agent.",
        not_if: "The node is the only one of its cluster: nothing is sent to others, and such a device does no harm.",
        seen_in: "flannel#2113, k3s#11338",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let mut tunnels = inventory.all_tunnels().filter(|tunnel| inventory.is_in_use(tunnel.ifindex)).peekable();
    if tunnels.peek().is_none() {
        return Outcome::DoesNotApply("no tunnel is here");
    }
    let links = &model.snapshot.netlink.links;
    let is_dummy = |below: &&Underlay| {
        links.iter().any(|link| link.ifindex == below.ifindex && link.kind.as_deref() == Some("dummy"))
    };
    let findings = tunnels.filter_map(|tunnel| {
        let below = tunnel.underlays().find(is_dummy)?;
        let peers = inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex).count();
        if peers == 0 {
            return None;
        }
        let (name, below) = (escape(&tunnel.name), escape(&below.name));
        Some(
            Finding::new(
                Fail,
                SubjectKind::Interface,
                &tunnel.name,
                format!("{name} sends by {below}, a dummy device: what goes to {} is gone.", counted(peers, "peer")),
            )
            .on(tunnel.ifindex)
            .seen(below, "dummy", "ip -d link")
            .seen(format!("peers of {name}"), peers, "bridge fdb, wg show")
            .fix(
                "Name the NIC that leads to the other nodes (flannel.iface, k3s: flannel-iface; Calico: nodeAddressAutodetection), \
                 then restart the CNI's agent on this node, which makes the tunnel again.",
            ),
        )
    });
    agent::all_restarted(model, Outcome::Judged(findings.collect()))
}
