//! A tunnel of an earlier configuration, which still takes packets or only is in the way.

use super::{super::prelude::*, devices};
use crate::model::Stale;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-stale-device",
    family: Family::Dataplane,
    title: "a tunnel of an earlier configuration is still there",
    symptom: "Often none. Traffic that should be encrypted may leave in clear; a new device may not get its port or its routes.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "A tunnel that leads nowhere while another one does; or routes by VXLAN that are more specific than WireGuard's.",
        why: "Agents do not remove the devices of another backend. The kernel takes the most specific route, so that the old \
              device's /24 win over the new one's /16.",
        fix: "When all nodes have the new backend (`wg show` has a peer for each), delete the device on every node, or reboot them; \
              before, nodes that still use it are cut off. Recreate pods when their MTU changes.",
        not_if: "A rollout is under way, and nodes that were not changed yet are reached by the old device.",
        seen_in: "rke2#9338, rke2#2960",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if devices(model).next().is_none() {
        return Outcome::DoesNotApply("no data plane is here");
    }
    // What somebody's own tunnel without routes is there for is not known here.
    let is_known = |ifindex: u32| model.inventory.is_of_cni(ifindex);
    let found = devices(model)
        .filter_map(|device| Some((device, device.stale.as_ref()?)))
        .filter(|(device, why)| is_known(device.ifindex) || matches!(why, Stale::MoreSpecific { .. }));
    Outcome::Judged(
        found
            .map(|(device, why)| {
                let name = escape(&device.name);
                let delete = format!("ip link delete {}", quoted(&device.name));
                match why {
                    Stale::MoreSpecific { than, routes, with_peer } if !is_known(device.ifindex) => Finding::new(
                        Fail,
                        SubjectKind::Interface,
                        &device.name,
                        format!("{name} takes packets to pods that {} would encrypt.", escape(than)),
                    )
                    .seen(format!("routes by {name}"), routes, "ip route")
                    .seen(format!("peers of {} for them", escape(than)), with_peer, "wg show allowed-ips")
                    .fix(format!("Find who made {name} and its routes to pod networks, and remove the routes.")),
                    Stale::MoreSpecific { than, routes, with_peer } => Finding::new(
                        Fail,
                        SubjectKind::Interface,
                        &device.name,
                        format!(
                            "{name} takes packets that {} would encrypt: {} by it {} more specific.",
                            escape(than),
                            counted(*routes, "route"),
                            if *routes == 1 { "is" } else { "are" }
                        ),
                    )
                    .seen(format!("routes by {name}"), routes, "ip route")
                    .seen(format!("peers of {} for them", escape(than)), with_peer, "wg show allowed-ips")
                    .fix(format!(
                        "Delete {name} on every node once all have the new backend; traffic to nodes without a peer in {} \
                         stops.",
                        escape(than)
                    ))
                    .run(delete),
                    Stale::Unused => Finding::new(
                        Warn,
                        SubjectKind::Interface,
                        &device.name,
                        format!("{name} has no address, no peer and no route: no CNI looks after it."),
                    )
                    .seen(format!("addresses of {name}"), 0, "ip address")
                    .fix(format!("Delete {name}: no traffic uses it."))
                    .run(delete),
                    Stale::Idle { carried_by } => Finding::new(
                        Warn,
                        SubjectKind::Interface,
                        &device.name,
                        format!("{name} leads to no other node; {} carries the traffic.", escape(carried_by)),
                    )
                    .seen(format!("routes by {name}"), 0, "ip route")
                    .fix(format!("Delete {name}: no traffic uses it."))
                    .run(delete),
                }
            })
            .collect(),
    )
}
