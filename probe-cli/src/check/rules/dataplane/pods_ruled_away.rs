//! Policy rules take packets to other nodes' pods before the tunnel's routes are asked.

use ipnet::IpNet;

use super::super::prelude::*;
use crate::{
    facts::netlink::{RouteFact, RouteType, RuleFact},
    model::Peer,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-pods-ruled-away",
    family: Family::Dataplane,
    title: "a policy rule takes packets to other nodes' pods",
    symptom: "Pods of this node do not reach pods of other nodes, or their packets leave without the tunnel.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["host-cloud-setup-enabled"],
    explain: Explain {
        how: "The policy rules that come before the main table (`ip rule`), in their order, with the pod network of each peer: a rule \
              drops its packets, or its table has a route for them by a device that is no tunnel. Rules for marked packets, single \
              devices, users, protocols or ports are not judged.",
        why: "A script for a second NIC, a VPN or a cloud's agent writes rules for source addresses or for everything, and its table has \
              a default route and not the pod networks.",
        fix: "Limit the rule to what it is meant for, or write a rule before it that sends pod networks to the main table: `ip rule add to \
              CLUSTER-CIDR lookup main priority N`.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let netlink = &model.snapshot.netlink;
    let inventory = &model.inventory;
    if !inventory.data_planes.iter().any(|plane| plane.system.forwards_by_routes()) {
        return Outcome::DoesNotApply("no data plane that forwards by the kernel's routes");
    }
    if let Some(why) = netlink.rules.trouble() {
        return Outcome::NotJudged(why);
    }
    let mut rules: Vec<&RuleFact> = netlink.rules.rows().iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    let mut taken: Vec<(&RuleFact, Taken, Vec<IpNet>)> = Vec::new();
    for peer in inventory.peers.iter().filter(|peer| inventory.is_in_use(peer.tunnel)) {
        for network in &peer.pod_cidrs {
            match taker(model, &rules, peer, *network) {
                Ok(None) => {}
                Ok(Some((rule, how))) => match taken.iter_mut().find(|(other, ..)| *other == rule) {
                    Some((_, _, networks)) => networks.push(*network),
                    None => taken.push((rule, how, vec![*network])),
                },
                Err(why) => return Outcome::NotJudged(why),
            }
        }
    }
    Outcome::Judged(taken.iter().map(|(rule, how, networks)| finding(rule, how, networks)).collect())
}

/// What becomes of packets that a rule takes.
enum Taken {
    /// The word of ip-rule(8) for how they are dropped.
    Dropped(&'static str),
    /// They are dropped by a route of its table.
    DroppedBy(u32, &'static str),
    /// They leave by a device; its name, escaped.
    By(u32, String),
}

/// The rule that takes packets to a peer's pods from the tunnel. An error when a table was not read.
fn taker<'a>(
    model: &Model,
    rules: &[&'a RuleFact],
    peer: &Peer,
    network: IpNet,
) -> Result<Option<(&'a RuleFact, Taken)>, String> {
    const LOCAL: u32 = 255;
    const MAIN: u32 = 254;
    let family = if network.addr().is_ipv4() { 4 } else { 6 };
    let own = model.inventory.node.pod_cidrs.iter().map(|own| own.cidr);
    let own: Vec<IpNet> = own.filter(|own| own.addr().is_ipv4() == network.addr().is_ipv4()).collect();
    for rule in rules.iter().filter(|rule| rule.family == family && !rule.is_narrower) {
        // With a mark and inverted it is for all packets that do not have the mark: pods' packets.
        if rule.is_inverted != rule.mark.is_some() || !is_for(rule, &own, network) {
            continue;
        }
        if let Some(word) = rule.dropping.and_then(RouteType::dropping) {
            return Ok(Some((rule, Taken::Dropped(word))));
        }
        match rule.table {
            // Here the tunnel's routes are. Only the default route is left out by what VPNs write.
            Some(MAIN) if is_for_all(rule, &own, network) => return Ok(None),
            None | Some(LOCAL | MAIN) => continue,
            Some(_) => {}
        }
        let Some(table) = rule.table else { continue };
        let mut tables = model.snapshot.netlink.policy_tables.iter();
        let Some(read) = tables.find(|read| read.table == table && read.family == family) else {
            return Err(format!("route table {table} of a policy rule was not read"));
        };
        let Some(routes) = read.routes.value() else {
            return Err(read.routes.trouble().unwrap_or_else(|| format!("route table {table} is not known")));
        };
        let Some(route) = best(routes, network, rule.suppressed_prefix_len) else { continue };
        match (route.kind, route.ifindex) {
            (RouteType::Throw, _) => {}
            (RouteType::Unicast, Some(by)) if super::is_tunnel(model, by) || by == peer.tunnel => {
                return Ok(None);
            }
            (RouteType::Unicast, Some(by)) => {
                return Ok(Some((rule, Taken::By(table, escape(super::name(model, by))))));
            }
            (kind, _) => {
                if let Some(word) = kind.dropping() {
                    return Ok(Some((rule, Taken::DroppedBy(table, word))));
                }
            }
        }
    }
    Ok(None)
}

/// Some packets of this node's pods to that network are the rule's.
fn is_for(rule: &RuleFact, own: &[IpNet], network: IpNet) -> bool {
    let overlaps = |one: &IpNet, other: &IpNet| one.contains(other) || other.contains(one);
    rule.to.is_none_or(|to| overlaps(&to, &network))
        && rule.from.is_none_or(|from| own.iter().any(|own| overlaps(&from, own)))
}

/// All of them are.
fn is_for_all(rule: &RuleFact, own: &[IpNet], network: IpNet) -> bool {
    rule.to.is_none_or(|to| to.contains(&network))
        && rule.from.is_none_or(|from| own.iter().all(|own| from.contains(own)))
}

/// The route of a table that packets to all of a network take.
fn best(routes: &[RouteFact], network: IpNet, suppressed: Option<u8>) -> Option<&RouteFact> {
    let counts = |route: &&RouteFact| {
        route.destination.contains(&network)
            && suppressed.is_none_or(|len| route.destination.prefix_len() > len)
    };
    routes.iter().filter(counts).max_by_key(|route| route.rank())
}

fn finding(rule: &RuleFact, how: &Taken, networks: &[IpNet]) -> Finding {
    let selectors = |word: &str, network: Option<IpNet>| {
        network.map_or_else(String::new, |network| format!(" {word} {network}"))
    };
    let (from, to) = (selectors("from", rule.from), selectors("to", rule.to));
    let family = rule.family;
    let such_as = networks.first().map_or_else(String::new, ToString::to_string);
    let of = counted(networks.len(), "pod network");
    let (what, action) = match how {
        Taken::Dropped(word) => ("are dropped by a policy rule".to_owned(), (*word).to_owned()),
        Taken::DroppedBy(table, word) => (
            format!("are dropped by a {word} route of table {table}, which a policy rule names"),
            format!("lookup {table}"),
        ),
        Taken::By(table, name) => {
            (format!("leave by {name}: a policy rule sends them to table {table}"), format!("lookup {table}"))
        }
    };
    let priority = rule.priority;
    Finding::new(
        Fail,
        SubjectKind::Setting,
        &format!("ip rule {priority}"),
        format!("Packets to {of} of other nodes, such as {such_as}, {what}."),
    )
    .seen(
        format!("rule {priority}"),
        format!("{}{to} {action}", from_all(&from)),
        format!("ip -{family} rule"),
    )
    .fix("Delete the rule, and find who wrote it; or limit it to addresses that are not the pods'.")
    .run(format!("ip -{family} rule del priority {priority}{from}{to}"))
}

fn from_all(from: &str) -> String {
    if from.is_empty() { "from all".to_owned() } else { from.trim_start().to_owned() }
}
