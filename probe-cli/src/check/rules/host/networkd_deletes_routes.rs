//! systemd-networkd removes routes and rules that it did not write.

use super::super::prelude::*;
use crate::model::{Encapsulation, System};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-networkd-deletes-routes",
    family: Family::Host,
    title: "the service systemd-networkd may delete the CNI's routes and rules",
    symptom: "Pods of other nodes are not reached after an update of systemd or a restart of networkd.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "ManageForeignRoutes and ManageForeignRoutingPolicyRules of networkd.conf and its drop-ins, while networkd runs.",
        why: "networkd removes routes on the links that it configures, and policy rules, that it did not write, when it starts and \
              when a link changes. networkd.conf can forbid it; the default is to remove them.",
        fix: "Write `[Network]`, `ManageForeignRoutes=no` and `ManageForeignRoutingPolicyRules=no`, a line each, into \
              /etc/systemd/networkd.conf.d/cni.conf. It counts when networkd starts next.",
        not_if: "The CNI has neither routes on NICs nor policy rules: such nodes are not judged.",
        seen_in: "systemd#29716, cilium#18706, kube-router#1815",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let networkd = match super::installed(model, |files| &files.networkd, "systemd-networkd is not installed")
    {
        Ok(networkd) => networkd,
        Err(outcome) => return outcome,
    };
    match networkd.is_running {
        Some(true) => {}
        Some(false) => return Outcome::DoesNotApply("systemd-networkd does not run"),
        None => return Outcome::NotJudged("whether systemd-networkd runs is not known".to_owned()),
    }
    // networkd removes routes on links that it configures, and rules wherever they are: those of tunnels' and pods' devices,
    // which it does not configure, it leaves alone.
    let planes = || model.inventory.data_planes.iter().filter(|plane| !plane.is_stale());
    let by_nic = planes().any(|plane| {
        plane.encapsulation == Encapsulation::None && plane.devices.iter().any(|device| device.routes > 0)
    });
    let by_rules = planes().any(|plane| {
        plane.system == System::Cilium
            || plane.system == System::Calico && plane.encapsulation == Encapsulation::Wireguard
    });
    if !by_nic && !by_rules {
        return Outcome::DoesNotApply("the CNI has no routes on NICs and no policy rules");
    }
    let keeps = |setting: &Option<crate::model::Sourced<bool>>| {
        setting.as_ref().is_some_and(|setting| !setting.value)
    };
    let routes = keeps(&networkd.manage_foreign_routes);
    let rules = keeps(&networkd.manage_foreign_rules);
    if (routes || !by_nic) && (rules || !by_rules) {
        return Outcome::Judged(Vec::new());
    }
    let word = |kept: bool| if kept { "no" } else { "yes (default)" };
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::Setting,
            "systemd-networkd",
            "systemd-networkd deletes routes or rules that it did not write, those of the CNI included."
                .to_owned(),
        )
        .seen("ManageForeignRoutes", word(routes), "networkd.conf")
        .seen("ManageForeignRoutingPolicyRules", word(rules), "networkd.conf")
        .fix("Tell networkd to leave other programs' routes and rules alone; it applies when networkd starts next.")
        .run(
            "mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\\nManageForeignRoutes=no\\n\
             ManageForeignRoutingPolicyRules=no\\n' > /etc/systemd/networkd.conf.d/cni.conf",
        ),
    ])
}
