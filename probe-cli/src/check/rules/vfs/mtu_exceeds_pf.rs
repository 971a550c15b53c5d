//! A VF's packets do not fit its PF.

use super::{super::prelude::*, named, owner, pf_link};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-mtu-exceeds-pf",
    family: Family::Vfs,
    title: "a virtual function's MTU is larger than its PF's",
    symptom: "Small packets of a pod's secondary interface arrive, large ones vanish without an error.",
    core: false,
    needs: &[Need::Vfs],
    explained_by: &[],
    explain: Explain {
        how: "IFLA_MTU of each VF's interface, in whichever namespace it is, against the PF's.",
        why: "The PF was set to its default again (a reboot, a network manager), or an earlier pod left its MTU on the VF.",
        fix: "Give the PF the largest MTU that its VFs use; the switch must carry it too.",
        not_if: "",
        seen_in: "sriov-network-operator#57, sriov-network-operator#80, sriov-cni#123",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let sized = model
        .vfs
        .iter()
        .filter_map(|row| Some((&row.vf, row.vf.interface.as_ref()?, pf_link(model, &row.vf)?)));
    let all: Vec<_> = sized.collect();
    if all.is_empty() {
        return Outcome::DoesNotApply("no virtual function with an interface, and a PF on this node");
    }
    let too_large = all.into_iter().filter(|(_, interface, pf)| interface.mtu > pf.mtu);
    Outcome::Judged(
        too_large
            .map(|(vf, interface, pf)| {
                let (mtu, name) = (interface.mtu, escape(&pf.name));
                Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    &vf.pci_address,
                    format!(
                        "{}, which {} has, sends up to {mtu} bytes, and {name} takes {}.",
                        named(vf),
                        owner(vf),
                        pf.mtu
                    ),
                )
                .seen(shown(&interface.name), mtu, "IFLA_MTU")
                .seen(name, pf.mtu, "IFLA_MTU")
                .fix(
                    "Raise the PF's MTU; its link may go down for a moment, with all of its VFs. For good, set `mtu` in the \
                     SriovNetworkNodePolicy or in the PF's network configuration; the switch must carry it too.",
                )
                .run(format!("ip link set {} mtu {mtu}", quoted(&pf.name)))
            })
            .collect(),
    )
}
