//! The device below a tunnel is down.

use super::{super::prelude::*, link};
use crate::model::LinkState;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-underlay-down",
    family: Family::Dataplane,
    title: "the device below a tunnel is down",
    symptom: "Pods of this node reach no pod of another node.",
    core: true,
    needs: &[Need::Routes, Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "IFF_UP and carrier (IFLA_OPERSTATE, IFLA_CARRIER) of each device that outer packets leave by.",
        why: "A cable, a switch port, a bond without an active port, a NIC that an administrator or a network manager took down.",
        fix: "Bring the device up; look at the switch port and, with a bond, at /proc/net/bonding/NAME.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    let below: Vec<_> = inventory
        .all_tunnels()
        .filter(|tunnel| inventory.is_of_cni(tunnel.ifindex))
        .flat_map(|tunnel| tunnel.underlays().map(move |below| (tunnel, below)))
        .collect();
    if below.is_empty() {
        return Outcome::DoesNotApply("no tunnel has a device below it");
    }
    let mut findings: Vec<Finding> = Vec::new();
    for (tunnel, below) in below {
        let Some(row) = link(model, below.ifindex).filter(|row| row.state != LinkState::Up) else { continue };
        if findings.iter().any(|known| known.subject.name == below.name) {
            continue;
        }
        let (state, command) = match row.state {
            LinkState::Down => ("down", Some(format!("ip link set {} up", quoted(&below.name)))),
            LinkState::NoCarrier | LinkState::Up => ("up, no carrier", None),
        };
        let name = escape(&below.name);
        let finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            &below.name,
            format!("{name} is {state}: packets of {} cannot leave this node.", escape(&tunnel.name)),
        )
        .seen(name, state, "ip link: flags, operstate");
        findings.push(match command {
            Some(command) => finding.fix("Bring the device up.").run(command),
            None => {
                finding.fix_elsewhere("check the cable, the switch port, or the hypervisor's virtual NIC.")
            }
        });
    }
    Outcome::Judged(findings)
}
