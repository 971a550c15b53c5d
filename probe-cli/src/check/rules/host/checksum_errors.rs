//! TCP segments arrive with wrong checksums.

use super::super::{prelude::*, window::over};
use crate::model::TunnelKind;

/// In a window: single ones come from anywhere.
const MANY: u64 = 10;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-checksum-errors",
    family: Family::Host,
    title: "TCP segments arrive with wrong checksums",
    symptom: "TCP between nodes hangs or is very slow; ping works.",
    core: false,
    needs: &[Need::Window],
    explained_by: &[],
    explain: Explain {
        how: "Tcp:InCsumErrors grows during the window. It counts what arrives here: the fault is on the sending node.",
        why: "The sender's NIC or hypervisor computes the inner checksum of tunnel packets wrongly (kernels before 5.7, vmxnet3).",
        fix: "On the sending nodes: ethtool -K TUNNEL tx-checksum-ip-generic off.",
        not_if: "Single ones come from outside of the cluster.",
        seen_in: "k3s#5013, rke2#1541, flannel#1279",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(errors) = model.window.as_ref().and_then(|window| window.tcp_checksum_errors) else {
        return Outcome::NotJudged("the counter Tcp:InCsumErrors was not read".to_owned());
    };
    if errors == 0 {
        return Outcome::Judged(Vec::new());
    }
    let mut vxlans = model.inventory.tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Vxlan);
    let vxlan = vxlans.next().map(|tunnel| quoted(&tunnel.name));
    let severity = if errors >= MANY && vxlan.is_some() { Fail } else { Warn };
    let finding = Finding::new(
        severity,
        SubjectKind::Node,
        "TCP checksums",
        format!("{errors} TCP segments arrived with wrong checksums {}.", over(model)),
    )
    .seen("Tcp:InCsumErrors", format!("+{errors}"), "/proc/net/snmp");
    Outcome::Judged(vec![match vxlan {
        Some(tunnel) => finding.fix_elsewhere(format!(
            "on the nodes that send to this one: `ethtool -K {tunnel} tx-checksum-ip-generic off`; it lasts until the device \
             is made again."
        )),
        None => finding.fix_elsewhere("find who sends them, with tcpdump -vv; NICs and middleboxes on the way can corrupt segments."),
    }])
}
