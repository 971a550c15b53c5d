//! A pod tags what its PF tags already.

use super::{super::prelude::*, named, of_pods, owner, setting};
use crate::facts::netlink::NamespaceFact;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "vf-vlan-tagged-twice",
    family: Family::Vfs,
    title: "a pod tags packets that its PF tags already",
    symptom: "The pod's VLAN interface gets no answer, though the same works on another NIC.",
    core: false,
    needs: &[Need::Vfs, Need::VfSettings],
    explained_by: &[],
    explain: Explain {
        how: "IFLA_VF_VLAN_LIST of a VF whose pod has a VLAN interface on it.",
        why: "The network's `vlan` makes the NIC tag and untag for the pod, which then has to send untagged.",
        fix: "Configure the VLAN in one place: the network's `vlan`, or the pod.",
        not_if: "The switch expects two tags (802.1ad): a VF whose outer tag is of 802.1ad is not judged.",
        seen_in: "sriov-network-device-plugin#268",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let mut findings = Vec::new();
    let mut judged = 0;
    for row in of_pods(model) {
        let vf = &row.vf;
        let (Some(outer), Some(interface)) = (vf.settings.and_then(|settings| settings.vlan), &vf.interface)
        else {
            continue;
        };
        let Some(inside) = interface.netns.as_deref().and_then(|name| namespace(model, name)) else {
            continue;
        };
        judged += 1;
        let is_vlan = |kind: Option<&str>| kind == Some("vlan");
        let inner = inside
            .links
            .iter()
            .find(|link| is_vlan(link.kind.as_deref()) && link.link == Some(interface.ifindex));
        let (Some(inner), false) = (inner, outer.is_qinq) else { continue };
        findings.push(
            Finding::new(
                Warn,
                SubjectKind::Interface,
                &vf.pci_address,
                format!("{} has VLAN interfaces on {}, which the NIC tags with VLAN {} as well.", owner(vf), named(vf), outer.id),
            )
            .seen(shown(&inner.name), format!("on {}", shown(&interface.name)), "IFLA_LINK in the pod's namespace")
            .seen("VLAN set by the PF", outer.id, setting(vf, "IFLA_VF_VLAN_LIST"))
            .fix_elsewhere(
                "configure the VLAN in one place: remove the VLAN interface in the pod, or `vlan` from the network, after which the pod \
                 chooses its VLAN by itself; then recreate the pod.",
            ),
        );
    }
    if judged == 0 {
        return Outcome::DoesNotApply("no pod's virtual function has a VLAN set by its PF");
    }
    Outcome::Judged(findings)
}

/// What is in the namespace of this name.
fn namespace<'a>(model: &'a Model, name: &str) -> Option<&'a NamespaceFact> {
    let named = model.snapshot.namespaces.iter().find(|one| one.path.rsplit('/').next() == Some(name));
    named.and_then(|one| one.told.value())
}
