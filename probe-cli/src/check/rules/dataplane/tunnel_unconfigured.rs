//! A tunnel device that its CNI's agent has not configured: it leads nowhere and has no address.

use super::super::{agent, prelude::*};
use crate::model::Fault;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-tunnel-unconfigured",
    family: Family::Dataplane,
    title: "a tunnel device has no address, no peer and no route",
    symptom: "Pods of this node reach no pod of another node.",
    core: true,
    needs: &[Need::Addresses, Need::Routes, Need::TunnelTables],
    explained_by: &[],
    explain: Explain {
        how: "Addresses, peers and routes of each tunnel device of flannel or Calico: none of them, although pods here, or the \
              node's pod network, are of its address family and no other device leads to pods of that family.",
        why: "Somebody deleted the device and made it again, or the agent stopped before it wrote the entries. flannel and Calico \
              give an address to each device that they look after, also on the only node of a cluster.",
        fix: "Restart the CNI's agent on this node: it gives the device its address, and writes routes, neighbours and FDB entries.",
        not_if: "The agent is starting at this moment.",
        seen_in: "flannel#869, flannel#795",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    if !inventory.all_tunnels().any(|tunnel| inventory.is_of_cni(tunnel.ifindex)) {
        return Outcome::DoesNotApply("no tunnel is here");
    }
    let found = model.faults.iter().filter_map(|fault| {
        let Fault::TunnelUnconfigured { tunnel, name } = fault else { return None };
        Some((name, *tunnel))
    });
    let findings = Outcome::Judged(
        found
            .map(|(device, ifindex)| {
                let name = escape(device);
                Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    device,
                    format!("{name} has no address, no peer and no route: no agent has configured it."),
                )
                .on(ifindex)
                .seen(format!("addresses of {name}"), 0, "ip address")
                .seen("peers, routes", "0, 0", "bridge fdb, ip route")
                .fix("Restart the CNI's agent on this node, which configures the device (pods keep running).")
            })
            .collect(),
    );
    agent::all_restarted(model, findings)
}
