//! A VF sends as much as it may.

use super::{super::prelude::*, named, of_pods, owner, setting};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-rate-limited",
    family: Family::Vfs,
    title: "a virtual function sends at the limit that its PF sets",
    symptom: "The pod's throughput by its secondary interface stops at a round number, however fast the NIC is.",
    core: false,
    needs: &[Need::Vfs, Need::VfSettings, Need::Window],
    explained_by: &[],
    explain: Explain {
        how: "What the VF sent during the window against IFLA_VF_RATE: 95 % of max_tx_rate and more.",
        why: "The network's `max_tx_rate`, or an administrator, limits it.",
        fix: "Raise the limit, in the network's configuration for good.",
        not_if: "The limit is wanted.",
        seen_in: "",
    },
    run,
};

/// Part of the limit from which on a VF counts as held back.
const NEAR: f64 = 0.95;

fn run(model: &Model) -> Outcome {
    let limited = of_pods(model).filter_map(|row| Some((row, row.vf.settings?.max_tx_mbit?, row.rate?)));
    let all: Vec<_> = limited.collect();
    if all.is_empty() {
        return Outcome::DoesNotApply("no pod's virtual function has a limit and counters");
    }
    let mut findings = Vec::new();
    for (row, limit, rate) in all {
        let vf = &row.vf;
        let sent = rate.tx.bits_per_s / 1e6;
        let Some(pf) = vf.pf.as_deref().filter(|_| sent >= NEAR * f64::from(limit)) else { continue };
        findings.push(
            Finding::new(
                Warn,
                SubjectKind::Interface,
                &vf.pci_address,
                format!("{}, which {} has, sends {sent:.0} of the {limit} Mbit/s that it may.", named(vf), owner(vf)),
            )
            .seen("sent", format!("{sent:.0} Mbit/s"), "its counters over the window")
            .seen("limit", format!("{limit} Mbit/s"), setting(vf, "IFLA_VF_RATE"))
            .fix("Remove the limit if it is not wanted; `max_tx_rate` of the network sets it again for the next pod.")
            .run(format!("ip link set {} vf {} max_tx_rate 0", quoted(pf), vf.index)),
        );
    }
    Outcome::Judged(findings)
}
