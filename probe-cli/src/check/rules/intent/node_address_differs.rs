//! The tunnel sends from another address than the node's configured one.

use super::{super::prelude::*, compared};
use crate::model::Aspect;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-node-address-differs",
    family: Family::Intent,
    title: "the tunnel's source address is not the node address",
    symptom: "Other nodes send to an address that this node's firewall or cloud does not expect; one address family may not work.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "`node-ip` of the configuration against IFLA_VXLAN_LOCAL or the source address of the tunnel.",
        why: "The NIC has several addresses and the CNI took the first one; or the default route leaves by another NIC.",
        fix: "Name the interface (flannel.iface; Calico: nodeAddressAutodetectionV4) and restart the agent.",
        not_if: "Both addresses are reached from all nodes.",
        seen_in: "flannel#1978, rke2#1889, flannel#1813",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    compared(
        model,
        Aspect::NodeAddresses,
        Warn,
        |wanted, actual| format!("The configured node address is {wanted}; tunnels send from {actual}."),
        "Name the interface that tunnels use, `flannel.iface` in the CNI's HelmChartConfig (Calico: nodeAddressAutodetectionV4), then \
         restart the agent. The annotation public-ip-overwrite changes only where other nodes send to.",
    )
}
