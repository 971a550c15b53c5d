//! Packets of a VNI arrive that no tunnel of this node has.

use super::super::{drops, prelude::*};
use crate::model::{DropRow, TunnelKind};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-vni-unknown",
    family: Family::Dataplane,
    title: "packets of another VNI arrive",
    symptom: "Pods of a node do not answer in either direction; no counter of the tunnel moves.",
    core: false,
    needs: &[Need::Traffic, Need::Drops],
    explained_by: &["intent-vni-differs", "dataplane-missing", "dataplane-tunnel-down"],
    explain: Explain {
        how: "With --with-traffic: packets to a tunnel's UDP port that the kernel drops for VXLAN_VNI_NOT_FOUND, with the VNI and the \
              sender of one of them. Kernels that do not have the reason do not say that they drop such packets.",
        why: "Nodes have different VNIs: rke2-flannel has 4096 and rke2-canal 1, or net-conf.json was changed and not all agents were \
              restarted.",
        fix: "Give all nodes one VNI, and restart the CNI's agent where it was another.",
        not_if: "Another overlay of yours uses the same UDP port, and its device is elsewhere.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let tunnels = model.inventory.tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Vxlan);
    drops::judged(model, &["VXLAN_VNI_NOT_FOUND"], DropRow::is_outer, |row| {
        let vni = row.last.vni.map_or_else(|| "another VNI".to_owned(), |vni| format!("VNI {vni}"));
        let from = drops::sender(model, row);
        let device = row.device.name();
        let mut finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            device,
            format!(
                "Packets of {vni} arrive on {} from {from}; no tunnel of this node has it.",
                escape(device)
            ),
        );
        finding = drops::seen(finding, &[row]);
        for tunnel in tunnels.clone() {
            let own = tunnel.vni.map_or_else(|| "any".to_owned(), |vni| vni.to_string());
            finding = finding.seen(format!("VNI of {}", escape(&tunnel.name)), own, "IFLA_VXLAN_ID");
        }
        finding.fix(format!(
            "Give {from} and this node one VNI (flannel: Backend.VNI in net-conf.json; Calico: vxlanVNI of the FelixConfiguration), then \
             restart the CNI's agent where it was another: its tunnel is made anew, and connections to other nodes break off."
        ))
    })
}
