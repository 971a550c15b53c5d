//! A pod's VF has no link.

use super::{super::prelude::*, NONE, named, of_pods, owner, pf_link, setting};
use crate::{facts::netlink::OperState, model::VfLinkState};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-link-down",
    family: Family::Vfs,
    title: "the link of a pod's virtual function is down",
    symptom: "The pod's secondary interface has no carrier; nothing goes in or out by it.",
    core: false,
    needs: &[Need::Vfs, Need::VfSettings],
    explained_by: &[],
    explain: Explain {
        how: "IFLA_VF_LINK_STATE of VFs that pods have, and flags and operational state of their PFs.",
        why: "The PF is down or without carrier while the VF's link follows it (`state auto`), or an administrator or the \
              network's `link_state` disabled it.",
        fix: "Bring the PF up and look at its cable, or set the VF's state to auto.",
        not_if: "VFs with `state enable` reach each other on the same PF without its link: those are not judged.",
        seen_in: "sriov-network-device-plugin#204, sriov-cni#119, sriov-network-operator#45",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if of_pods(model).next().is_none() {
        return Outcome::DoesNotApply("no pod has a virtual function");
    }
    let mut findings = Vec::new();
    for row in of_pods(model) {
        let vf = &row.vf;
        let state = vf.settings.and_then(|settings| settings.link_state);
        let Some(pf) = vf.pf.as_deref() else { continue };
        if state == Some(VfLinkState::Disable) {
            let summary = format!("The link of {}, which {} has, is disabled.", named(vf), owner(vf));
            findings.push(
                Finding::new(Fail, SubjectKind::Interface, &vf.pci_address, summary)
                    .seen("state", "disable", setting(vf, "IFLA_VF_LINK_STATE"))
                    .fix("Let the VF's link follow the PF's; the network's `link_state` sets it when a pod gets it.")
                    .run(format!("ip link set {} vf {} state auto", quoted(pf), vf.index)),
            );
            continue;
        }
        let Some(link) = pf_link(model, vf) else { continue };
        let has_no_link = matches!(link.oper_state, Some(OperState::Down | OperState::LowerLayerDown));
        if state == Some(VfLinkState::Enable) || (link.up && !has_no_link) {
            continue;
        }
        let name = escape(pf);
        let what = if link.up { "has no carrier" } else { "is down" };
        let finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            &vf.pci_address,
            format!("{name} {what}, and with it {}, which {} has.", named(vf), owner(vf)),
        )
        .seen(name, if link.up { "up, no carrier" } else { "down" }, "IFF_UP and IFLA_OPERSTATE");
        findings.push(if link.up {
            finding.fix_elsewhere(format!("look at the cable and the switch port of {}.", escape(pf)))
        } else {
            finding.fix("Bring the PF up.").run(format!("ip link set {} up", quoted(pf)))
        });
    }
    if model.vfs.is_empty() { Outcome::DoesNotApply(NONE) } else { Outcome::Judged(findings) }
}
