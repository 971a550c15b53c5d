//! Tables about other nodes: route, neighbour and FDB entry of each, and whether the node itself answers on the underlay.

pub(super) mod blackholed;
pub(super) mod destination_shared;
pub(super) mod family_missing;
pub(super) mod fdb_without_route;
pub(super) mod neighbour_without_fdb;
pub(super) mod old_mac;
pub(super) mod own_address;
pub(super) mod packets_without_fdb;
pub(super) mod route_without_neighbour;
pub(super) mod underlay_silent;
pub(super) mod unrouted;
pub(super) mod vtep_mac_duplicate;
pub(super) mod vtep_mac_shared;
pub(super) mod vtep_mac_stale;

use super::{agent, mtu::IPV6_LEAST, prelude::*};
use crate::{
    facts::netlink::RuleFact,
    model::{Fault, Tunnel, TunnelKind},
};

/// What mends entries that an agent writes: a restart of the agent on this node.
fn restart(model: &Model, finding: Finding) -> Finding {
    let note = agent::interrupted(model);
    let text =
        format!("Restart the CNI's agent on this node, which writes these entries; pods keep running.{note}");
    agent::restarted(model, finding.fix(text))
}

/// What gives a clone MAC addresses of its own.
fn another_identity(clone: &str) -> String {
    format!(
        "drain {clone}; on it: `rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup`, delete the tunnel device, \
         remove the annotations flannel.alpha.coreos.com/backend-data and backend-v6-data from its Node, reboot. Its DHCP address \
         may change."
    )
}

/// Where rules beside the kernel's own three send packets without a mark to other tables (`ip rule`), a route that is missing in the
/// main table may be in one of those: which packets take it is not followed.
pub(super) fn beside_policy_routes(model: &Model) -> Option<Outcome> {
    const KERNELS: [u32; 3] = [0, 32_766, 32_767];
    let rules = model.snapshot.netlink.rules.rows();
    let is_other =
        |rule: &RuleFact| rule.mark.is_none() && rule.table.is_some() && !KERNELS.contains(&rule.priority);
    rules.iter().any(is_other).then(|| {
        Outcome::NotJudged(
            "policy rules send packets to other route tables, which are not followed: see `ip rule`"
                .to_owned(),
        )
    })
}

/// Name of a tunnel, escaped.
fn tunnel_name(model: &Model, ifindex: u32) -> String {
    let tunnel = model.inventory.tunnel(ifindex);
    tunnel.map_or_else(|| ifindex.to_string(), |tunnel| escape(&tunnel.name))
}

/// VXLAN devices whose peers an agent writes into the kernel's tables: not those with a destination for each packet.
fn with_tables(model: &Model) -> Vec<&Tunnel> {
    let tunnels = model.inventory.tunnels.iter();
    tunnels.filter(|tunnel| tunnel.kind == TunnelKind::Vxlan && !tunnel.external).collect()
}

/// The findings of one kind of missing entry; none of tunnels for IPv6 that are too small for it: the kernel has removed their
/// entries.
fn missing(model: &Model, of: impl Fn(&Fault) -> Option<Finding>) -> Outcome {
    let tunnels = with_tables(model);
    if tunnels.is_empty() {
        return Outcome::DoesNotApply("no VXLAN device has its peers in the kernel's tables");
    }
    let is_without_ipv6 = |ifindex: u32| {
        tunnels.iter().any(|tunnel| {
            tunnel.ifindex == ifindex && tunnel.outer_family == Some(6) && tunnel.mtu < IPV6_LEAST
        })
    };
    let findings =
        model.faults.iter().filter_map(|fault| {
            let (Fault::NoNeighbour { tunnel, .. }
            | Fault::NoFdb { tunnel, .. }
            | Fault::NoRoute { tunnel, .. }) = fault
            else {
                return None;
            };
            if is_without_ipv6(*tunnel) { None } else { of(fault).map(|finding| finding.on(*tunnel)) }
        });
    Outcome::Judged(findings.collect())
}
