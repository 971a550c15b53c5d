//! A pool of the device plugin takes nothing, while VFs are in no pool.

use super::super::prelude::*;
use crate::{
    facts::{files::Sourced, pci::PciFunctionFact},
    model::{PoolRow, Step, device_pools},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-pool-empty",
    family: Family::Vfs,
    title: "a pool of the SR-IOV device plugin selects no device",
    symptom: "The node offers none of a resource; pods that ask for it stay Pending: \"Insufficient ...\".",
    core: false,
    needs: &[Need::Vfs, Need::Files, Need::DevicePlugin, Need::PciFunctions],
    explained_by: &["vf-iommu-missing"],
    explain: Explain {
        how: "Each selector of the pool in the plugin's order, on the node's network functions: which of them leaves nothing. \
              The plugin never offers PFs with VFs, nor what has a default route.",
        why: "`devices` wants four hexadecimal digits and not an address; `drivers` is the VF's and not the PF's; \
              `pciAddresses` are the VFs'; a driver was changed since.",
        fix: "With the SR-IOV operator, correct nicSelector, deviceType or the range of VFs in the SriovNetworkNodePolicy: the operator writes \
              the plugin's ConfigMap anew. Without it, correct the selector in the ConfigMap and restart the plugin on this node.",
        not_if: "The pool is for other nodes' devices: only pools are judged of which something is here, while VFs are in no pool.",
        seen_in: "sriov-network-device-plugin#567, sriov-network-device-plugin#609",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let pools = device_pools(&model.snapshot);
    if pools.is_empty() {
        return Outcome::DoesNotApply(
            "no configuration of the SR-IOV device plugin with pools of network devices",
        );
    }
    let left_over: Vec<&str> = model
        .vfs
        .iter()
        .map(|row| row.vf.pci_address.as_str())
        .filter(|pci| !pools.iter().any(|row| row.matches.contains(pci)))
        .collect();
    let empty = pools.iter().filter(|row| row.matches.is_empty() && is_for_this_node(row));
    Outcome::Judged(if left_over.is_empty() {
        Vec::new()
    } else {
        empty.map(|row| finding(row, &left_over)).collect()
    })
}

/// Something of what the pool wants is here.
fn is_for_this_node(row: &PoolRow<'_>) -> bool {
    row.steps.iter().flatten().any(|step| step.alone > 0)
}

fn finding(row: &PoolRow<'_>, left_over: &[&str]) -> Finding {
    let name = &row.pool.name;
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Setting,
        &name.value,
        format!("The pool {} selects none of this node's devices.", shown(&name.value)),
    );
    for step in row.excluding() {
        let wants: Vec<String> = step.values.iter().take(4).map(|value| shown(&value.value)).collect();
        let place = step.values.first().map_or_else(|| name.place(), Sourced::place);
        finding = finding.seen(step.key, wants.join(", "), escape(&place));
        if let Some(has) = instead(step) {
            finding = finding.seen(format!("{} here", step.key), has, "/sys/bus/pci/devices");
        }
    }
    let vfs: Vec<String> = left_over.iter().take(3).map(|pci| shown(pci)).collect();
    let more = if left_over.len() > 3 { ", ..." } else { "" };
    finding
        .seen("in no pool", format!("{}{more}", vfs.join(", ")), counted(left_over.len(), "VF"))
        .fix_elsewhere(format!(
            "correct the selector: in the SriovNetworkNodePolicy where the SR-IOV operator is installed, which writes {} anew; else in the \
             ConfigMap that it comes from, then restart the device plugin on this node.",
            shown(&name.file)
        ))
}

/// What the functions before the selector have instead of what it wants.
fn instead(step: &Step<'_>) -> Option<String> {
    let of = |fact: &PciFunctionFact| match step.key {
        "vendors" => Some(fact.vendor.clone()),
        "devices" => Some(fact.device.clone()),
        "drivers" => Some(fact.driver.clone().unwrap_or_else(|| "no driver".to_owned())),
        "pciAddresses" => Some(fact.address.clone()),
        _ => None,
    };
    let all: std::collections::BTreeSet<String> = step.before.iter().filter_map(|fact| of(fact)).collect();
    let first: Vec<String> = all.iter().take(3).map(|text| shown(text)).collect();
    (!first.is_empty()).then(|| format!("{}{}", first.join(", "), if all.len() > 3 { ", ..." } else { "" }))
}
