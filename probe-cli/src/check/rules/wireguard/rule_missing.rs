//! Calico's WireGuard device is there, and no packet is led to it.

use super::super::{agent, prelude::*};
use crate::model::{Tunnel, TunnelKind};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-rule-missing",
    family: Family::Wireguard,
    title: "no rule leads packets to Calico's WireGuard device",
    symptom: "Traffic between nodes is not encrypted, although Calico's WireGuard device has its peers; everything works.",
    core: false,
    needs: &[Need::WireguardPeers],
    explained_by: &["dataplane-tunnel-down"],
    explain: Explain {
        how: "The policy rule by which Calico leads all packets without its own mark to a table, and the routes by the device in that \
              table, where wireguard.cali or wg-v6.cali has peers.",
        why: "A network manager removed rules and routes that it did not write (systemd-networkd, nm-cloud-setup), or somebody \
              flushed them.",
        fix: "Restart calico-node on this node, which writes both again, and find what removes them.",
        not_if: "The agent started a few seconds ago.",
        seen_in: "",
    },
    run,
};

/// Calico's devices, with the family of the packets that they carry.
const DEVICES: [(&str, u8); 2] = [("wireguard.cali", 4), ("wg-v6.cali", 6)];

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let has_peers = |tunnel: &Tunnel| {
        let mut peers = inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
        peers.any(|peer| !peer.pod_cidrs.is_empty())
    };
    let devices: Vec<(&Tunnel, u8)> = DEVICES
        .iter()
        .filter_map(|(name, family)| {
            let mut tunnels = inventory.tunnels.iter();
            let tunnel =
                tunnels.find(|tunnel| tunnel.name == *name && tunnel.kind == TunnelKind::Wireguard)?;
            (tunnel.up && has_peers(tunnel)).then_some((tunnel, *family))
        })
        .collect();
    if devices.is_empty() {
        return Outcome::DoesNotApply("Calico has no WireGuard device with peers");
    }
    let netlink = &model.snapshot.netlink;
    let mut tables = netlink.policy_tables.iter();
    if let Some(why) = netlink.rules.trouble().or_else(|| tables.find_map(|table| table.routes.trouble())) {
        return Outcome::NotJudged(why);
    }
    let findings = devices.into_iter().filter_map(|(tunnel, family)| finding(model, tunnel, family));
    agent::all_restarted(model, Outcome::Judged(findings.collect()))
}

fn finding(model: &Model, tunnel: &Tunnel, family: u8) -> Option<Finding> {
    let netlink = &model.snapshot.netlink;
    let device = netlink.wireguard.iter().filter_map(|device| device.told.value());
    let mark = device.filter(|device| device.ifindex == tunnel.ifindex).map(|device| device.fwmark).next()?;
    let mut rules = netlink.rules.rows().iter().filter(|rule| rule.family == family && rule.is_inverted);
    let rule = rules.find(|rule| rule.table.is_some() && rule.mark.is_some_and(|of| of.value == mark));
    let of_family = netlink.policy_tables.iter().filter(|table| table.family == family);
    let mut tables = of_family.filter(|table| rule.is_none_or(|rule| rule.table == Some(table.table)));
    let has_routes =
        tables.any(|table| table.routes.rows().iter().any(|route| route.ifindex == Some(tunnel.ifindex)));
    if rule.is_some() && has_routes {
        return None;
    }
    let name = escape(&tunnel.name);
    let (summary, what, source) = match rule.and_then(|rule| rule.table) {
        Some(table) => (
            format!(
                "The table that leads to {name} has no route by it: traffic to other nodes is not encrypted."
            ),
            format!("routes by {name} in table {table}"),
            format!("ip -{family} route show table {table}"),
        ),
        None => (
            format!("No rule leads packets to {name}: traffic to other nodes is not encrypted."),
            format!("rule for packets without mark {mark:#x}"),
            format!("ip -{family} rule"),
        ),
    };
    let peers = model.inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex).count();
    Some(
        Finding::new(Fail, SubjectKind::Interface, &tunnel.name, summary)
            .on(tunnel.ifindex)
            .seen(what, "missing", source)
            .seen(format!("peers of {name}"), peers, "wg show")
            .fix(
                "Restart calico-node on this node, which writes rule and routes again (pods keep running); then find what \
                 removed them: systemd-networkd, nm-cloud-setup, a script.",
            ),
    )
}
