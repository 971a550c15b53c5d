//! A VF sends from an address that its PF does not let it use.

use super::{super::prelude::*, named, of_pods, owner, setting};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-mac-not-allowed",
    family: Family::Vfs,
    title: "a virtual function uses a MAC address that its PF drops",
    symptom: "The pod's secondary interface is up, but nobody answers it, or only what was answered before a change works.",
    core: false,
    needs: &[Need::Vfs, Need::VfSettings],
    explained_by: &[],
    explain: Explain {
        how: "IFLA_VF_MAC of a VF with IFLA_VF_SPOOFCHK against IFLA_ADDRESS of its interface in the pod.",
        why: "With spoof checking the NIC drops what a VF sends from another address than the one that its PF's driver knows. A \
              bond, a macvlan or a program in the pod changed the address after sriov-cni had set it.",
        fix: "Give the network the pod's address (`mac` in its annotation), or turn `spoofchk` off and `trust` on for it.",
        not_if: "",
        seen_in: "bond-cni#13, danm#246",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let mut findings = Vec::new();
    let mut judged = 0;
    for row in of_pods(model) {
        let vf = &row.vf;
        let (Some(settings), Some(interface)) = (vf.settings, &vf.interface) else { continue };
        let (Some(allowed), Some(used), Some(pf)) = (settings.mac, interface.mac, vf.pf.as_deref()) else {
            continue;
        };
        judged += 1;
        if settings.spoof_check != Some(true) || allowed == used {
            continue;
        }
        findings.push(
            Finding::new(
                Fail,
                SubjectKind::Interface,
                &vf.pci_address,
                format!("{}, which {} has, sends from {used}, and the NIC drops all but {allowed}.", named(vf), owner(vf)),
            )
            .seen("address in use", used, format!("IFLA_ADDRESS of {}", shown(&interface.name)))
            .seen("address allowed", allowed, setting(vf, "IFLA_VF_MAC"))
            .seen("spoof checking", "on", setting(vf, "IFLA_VF_SPOOFCHK"))
            .fix(
                "Give the VF the address that the pod uses: some drivers reset the VF for it, and its link is down for a moment. For good, \
                 set the address in the pod's annotation, or `spoofchk: off` in the network.",
            )
            .run(format!("ip link set {} vf {} mac {used}", quoted(pf), vf.index)),
        );
    }
    if judged == 0 {
        return Outcome::DoesNotApply("no pod's virtual function has an address set by its PF");
    }
    Outcome::Judged(findings)
}
