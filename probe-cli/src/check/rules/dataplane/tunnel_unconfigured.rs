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
    let found = model.faults.iter().filter_map(found);
    let fix = "Restart the CNI's agent on this node, which configures the device (pods keep running).";
    let findings = Outcome::Judged(found.map(|finding| finding.fix(fix)).collect());
    agent::all_restarted(model, findings)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of all faults these two")]
fn found(fault: &Fault) -> Option<Finding> {
    let about = |tunnel: u32, name: &str, what: String| {
        Finding::new(Fail, SubjectKind::Interface, name, what).on(tunnel)
    };
    match fault {
        Fault::TunnelUnconfigured { tunnel, name } => {
            let device = escape(name);
            let what = format!("{device} has no address, no peer and no route: no agent has configured it.");
            let finding = about(*tunnel, name, what).seen(format!("addresses of {device}"), 0, "ip address");
            Some(finding.seen("peers, routes", "0, 0", "bridge fdb, ip route"))
        }
        // Known while a run goes on only.
        Fault::TunnelMadeAgain { tunnel, name, earlier } => {
            let device = escape(name);
            let lost = counted(earlier.len(), "pod network");
            let what =
                format!("{device} was deleted and made again: {lost} that it led to are routed nowhere.");
            let routes = format!("route to {}", earlier.first()?);
            Some(about(*tunnel, name, what).seen(routes, "missing", "ip route"))
        }
        _ => None,
    }
}
