//! All that a pool selects is in an earlier pool.

use std::collections::BTreeSet;

use super::super::prelude::*;
use crate::model::device_pools;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-pools-overlap",
    family: Family::Vfs,
    title: "an earlier pool of the SR-IOV device plugin takes all that a later one selects",
    symptom: "The node offers none of a resource; pods that ask for it stay Pending: \"Insufficient ...\".",
    core: false,
    needs: &[Need::Vfs, Need::Files, Need::DevicePlugin, Need::PciFunctions],
    explained_by: &[],
    explain: Explain {
        how: "The pools in the file's order: a device belongs to the first one that selects it.",
        why: "Selectors of the earlier pool are too wide, such as a vendor without PF names.",
        fix: "Make the selectors exclusive (`pfNames`, `rootDevices`, VF ranges as in `ens1f0#0-3`): in the SriovNetworkNodePolicies where the \
              SR-IOV operator is installed, else in the plugin's ConfigMap, then restart the plugin.",
        not_if: "Pools with selectors that cannot be seen from outside (RDMA, vDPA, link type) are not compared.",
        seen_in: "sriov-network-operator#132, sriov-network-device-plugin#184",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let pools = device_pools(&model.snapshot);
    if pools.len() < 2 {
        return Outcome::DoesNotApply("fewer than two pools of the SR-IOV device plugin");
    }
    let mut findings = Vec::new();
    for row in pools.iter().filter(|row| !row.matches.is_empty() && row.taken.len() == row.matches.len()) {
        let name = &row.pool.name;
        let by: BTreeSet<&str> = row.taken.iter().map(|(_, pool)| *pool).collect();
        let by: Vec<String> = by.into_iter().map(shown).collect();
        let mut finding = Finding::new(
            Warn,
            SubjectKind::Setting,
            &name.value,
            format!(
                "The pool {} stays empty: all that it selects is in {}.",
                shown(&name.value),
                by.join(", ")
            ),
        )
        .seen("pool", shown(&name.value), escape(&name.place()));
        for (pci, pool) in row.taken.iter().take(3) {
            finding = finding.seen(shown(pci), format!("taken by {}", shown(pool)), "the file's order");
        }
        findings.push(finding.fix_elsewhere(format!(
            "make the selectors of both pools exclusive: in the SriovNetworkNodePolicies where the SR-IOV operator is installed, which writes \
             {} anew; else in the ConfigMap that it comes from, then restart the device plugin.",
            shown(&name.file)
        )));
    }
    Outcome::Judged(findings)
}
