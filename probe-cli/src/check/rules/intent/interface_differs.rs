//! The tunnel is on another NIC than the configured one.

use super::{
    super::{agent, prelude::*},
    compared,
};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-interface-differs",
    family: Family::Intent,
    title: "the tunnel uses another interface than configured",
    symptom: "Packets between nodes take the wrong network: slow, unencrypted or blocked by a firewall.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "`flannel.iface` and the like in files, against IFLA_LINK of the tunnel or the route to its peers.",
        why: "The interface did not exist when the agent started, or the setting was changed afterwards.",
        fix: "Restart the agent; make the interface come up before it.",
        not_if: "",
        seen_in: "flannel#1192, k3s#1824",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let outcome = compared(
        model,
        Aspect::Interface,
        Fail,
        |wanted, actual| format!("Tunnels are to use {wanted}, and use {actual}."),
        "Restart the CNI's agent on this node so that it makes the tunnel on the interface of FILE (traffic to other nodes stops for a few seconds).",
    );
    agent::all_restarted(model, outcome)
}
