//! The VXLAN network identifier is another than the configured one.

use super::{
    super::{agent, prelude::*},
    REMADE, compared,
};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-vni-differs",
    family: Family::Intent,
    title: "the VXLAN network identifier is not the configured one",
    symptom: "No packet between this node and others arrives; nothing is logged and no counter of the tunnel grows.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &["intent-cni-differs", "intent-backend-differs"],
    explain: Explain {
        how: "net-conf.json's Backend.VNI or the chart's value against IFLA_VXLAN_ID.",
        why: "Nodes are configured differently, for example rke2-flannel (4096) beside Canal (1).",
        fix: "Use one configuration on all nodes, and restart the agent on those whose device has another value.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let outcome = compared(
        model,
        Aspect::Vni,
        Fail,
        |wanted, actual| format!("The configured VNI is {wanted}; the tunnel has {actual}."),
        REMADE,
    );
    agent::all_restarted(model, outcome)
}
