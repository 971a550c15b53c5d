//! The UDP port of the tunnel is another than the configured one.

use super::{
    super::{agent, prelude::*},
    REMADE, compared,
};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-port-differs",
    family: Family::Intent,
    title: "the tunnel's UDP port is not the configured one",
    symptom: "No packet between this node and others arrives; the sender gets ICMP port unreachable.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[
        "intent-cni-differs",
        "intent-wireguard-impossible",
        "intent-backend-differs",
        "intent-families-differ",
    ],
    explain: Explain {
        how: "net-conf.json's Backend.Port or the chart's value against IFLA_VXLAN_PORT or WireGuard's listen port.",
        why: "Nodes are configured differently, or the port was changed while the device existed.",
        fix: "Use one configuration on all nodes, and restart the agent on those whose device has another value; open that port between them.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let outcome = compared(
        model,
        Aspect::Port,
        Fail,
        |wanted, actual| format!("The configured port is {wanted}; the tunnel has {actual}."),
        REMADE,
    );
    agent::all_restarted(model, outcome)
}
