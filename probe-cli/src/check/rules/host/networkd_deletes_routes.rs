//! systemd-networkd removes routes and rules that it did not write.

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-networkd-deletes-routes",
    family: Family::Host,
    title: "systemd-networkd may delete the CNI's routes and rules",
    symptom: "Pods of other nodes are not reached after an update of systemd or a restart of networkd.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "ManageForeignRoutes and ManageForeignRoutingPolicyRules of networkd.conf and its drop-ins, while networkd runs.",
        why: "networkd takes routes and rules that it did not write for leftovers when it starts and when a link changes. Since \
              systemd 248 it can be told not to; the default is to delete.",
        fix: "Set both to no in a drop-in of networkd.conf.",
        not_if: "The CNI writes no policy rules and writes its routes again at once.",
        seen_in: "systemd#29716, cilium#18706, kube-router#1815",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let networkd = model.snapshot.files.value().and_then(|files| files.networkd.value());
    let Some(networkd) = networkd else { return Outcome::DoesNotApply("systemd-networkd is not installed") };
    match networkd.is_running {
        Some(true) => {}
        Some(false) => return Outcome::DoesNotApply("systemd-networkd does not run"),
        None => return Outcome::NotJudged("whether systemd-networkd runs is not known".to_owned()),
    }
    if model.inventory.data_planes.is_empty() {
        return Outcome::DoesNotApply("no data plane is here");
    }
    let keeps = |setting: &Option<crate::model::Sourced<bool>>| {
        setting.as_ref().is_some_and(|setting| !setting.value)
    };
    let routes = keeps(&networkd.manage_foreign_routes);
    let rules = keeps(&networkd.manage_foreign_rules);
    if routes && rules {
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
        .fix("Tell it to leave them alone; it applies when networkd starts next.")
        .run(
            "mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\\nManageForeignRoutes=no\\n\
             ManageForeignRoutingPolicyRules=no\\n' > /etc/systemd/networkd.conf.d/cni.conf",
        ),
    ])
}
