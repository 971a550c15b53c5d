//! A packet filter of this node drops tunnels' packets.

use super::super::{drops, prelude::*};
use crate::model::{DropDevice, DropRow};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-packets-filtered",
    family: Family::Dataplane,
    title: "a packet filter drops the tunnel's packets",
    symptom: "Pods of other nodes are not reached, or only by connections that were there before.",
    core: false,
    needs: &[Need::Traffic, Need::Drops],
    explained_by: &[],
    explain: Explain {
        how: "With --with-traffic: outer packets, by their UDP port or protocol, that the kernel drops for NETFILTER_DROP.",
        why: "A firewall of the node (firewalld, ufw, rules of one's own) does not allow the tunnel's port, or Calico does not know the \
              sending node and drops its VXLAN packets.",
        fix: "Allow the tunnel's port from and to the other nodes, in the firewall that has the rule.",
        not_if: "The sender is no node of this cluster: then it is right to drop its packets.",
        seen_in: "rke2#774, rke2#600, calico#6752",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    drops::judged(model, &["NETFILTER_DROP"], DropRow::is_outer, |row| {
        let device = escape(row.device.name());
        let from = drops::sender(model, row);
        let (summary, rule) = match &row.device {
            // Before its way out is known, a packet is still on the tunnel.
            DropDevice::Tunnel(_) => {
                (format!("This node's packet filter drops what {device} sends to other nodes."), "OUTPUT")
            }
            DropDevice::Underlay(_) | DropDevice::Pod(_) => {
                (format!("This node's packet filter drops tunnel packets from {from} on {device}."), "INPUT")
            }
        };
        let port = match row.last.port {
            Some(port) => format!("UDP port {port}"),
            None => row.last.protocol.map_or_else(
                || "the tunnel's packets".to_owned(),
                |protocol| format!("IP protocol {protocol}"),
            ),
        };
        drops::seen(Finding::new(Fail, SubjectKind::Interface, row.device.name(), summary), &[row]).fix(format!(
            "Allow {port} between the nodes: the rule is at the hook {rule} (`nft list ruleset` or `iptables-save -c` shows which counts up). \
             firewalld and ufw are not to run beside the CNI's rules."
        ))
    })
}
