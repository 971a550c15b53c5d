//! A tunnel device is set down.

use super::super::{agent, prelude::*};
use crate::model::Fault;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-tunnel-down",
    family: Family::Dataplane,
    title: "a tunnel device is down",
    symptom: "Pods of this node reach no pod of another node.",
    core: true,
    needs: &[],
    explained_by: &["dataplane-port-shared"],
    explain: Explain {
        how: "IFF_UP of each tunnel device of a data plane.",
        why: "Somebody, or a network manager, took it down. The kernel removes the routes by a device that goes down, and the \
              agent does not always write them again.",
        fix: "Restart the CNI's agent: bringing the device up alone does not bring its routes back.",
        not_if: "The device is stale and another one carries the traffic: then delete it.",
        seen_in: "flannel#1759",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let inventory = &model.inventory;
    if !inventory.all_tunnels().any(|tunnel| inventory.is_of_cni(tunnel.ifindex)) {
        return Outcome::DoesNotApply("no tunnel is here");
    }
    let down = model.faults.iter().filter_map(|fault| {
        let Fault::TunnelDown { tunnel, name } = fault else { return None };
        Some((name, *tunnel))
    });
    let findings = Outcome::Judged(
        down.map(|(device, ifindex)| {
            let name = escape(device);
            Finding::new(
                Fail,
                SubjectKind::Interface,
                device,
                format!("{name} is down: it carries no packets, and the kernel has removed its routes."),
            )
            .on(ifindex)
            .seen(name, "down", "ip link: flags")
            .fix(
                "Bring the tunnel up and restart the CNI's agent on this node, which writes routes and neighbours again (pods keep \
                 running).",
            )
            .run(format!("ip link set {} up", quoted(device)))
        })
        .collect(),
    );
    agent::all_restarted(model, findings)
}
