//! Another device takes packets of a data plane's tunnel.

use super::{super::prelude::*, devices};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-bypassed",
    family: Family::Dataplane,
    title: "packets to other nodes' pods leave by another device than the tunnel",
    symptom: "Traffic that should be encapsulated or encrypted is neither, or some pod networks are not reached.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["dataplane-stale-device"],
    explain: Explain {
        how: "Routes to pod networks that are more specific than the tunnel's and leave by another device.",
        why: "A second CNI, a routing daemon or an administrator added routes; or an old backend's stayed.",
        fix: "Find who writes the routes (the word behind `proto` in `ip route show dev DEVICE`: bird, static, dhcp) and stop it, then delete them.",
        not_if: "Direct routing is configured for nodes in the same network.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if devices(model).next().is_none() {
        return Outcome::DoesNotApply("no data plane is here");
    }
    let found = devices(model).filter_map(|device| Some((device, device.bypassed.as_ref()?)));
    Outcome::Judged(
        found
            .map(|(device, bypass)| {
                let (name, by) = (escape(&device.name), escape(&bypass.by));
                Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    &device.name,
                    format!(
                        "Packets to {} leave by {by} and not by {name}.",
                        counted(bypass.routes, "pod network")
                    ),
                )
                .seen(format!("routes by {by}"), bypass.routes, "ip route")
                .fix(format!(
                    "Look at the routes by {by}, find who writes them, and delete those to pod networks."
                ))
                .run(format!("ip route show dev {}", quoted(&bypass.by)))
            })
            .collect(),
    )
}
