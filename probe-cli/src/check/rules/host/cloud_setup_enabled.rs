//! nm-cloud-setup writes routes and rules that break pods' traffic.

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-cloud-setup-enabled",
    family: Family::Host,
    title: "the service nm-cloud-setup is enabled",
    symptom: "Pods reach other nodes for some minutes after boot, then not any more.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "nm-cloud-setup.service or .timer is enabled in systemd's directories.",
        why: "It adds policy rules and route tables for the addresses that the cloud's metadata name, which packets of pods match.",
        fix: "`systemctl disable nm-cloud-setup.service nm-cloud-setup.timer`, then drain the node and reboot it, which removes what \
              they wrote.",
        not_if: "",
        seen_in: "rke2#1053, calico#4659",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let manager = match super::network_manager(model) {
        Ok(manager) => manager,
        Err(outcome) => return outcome,
    };
    if !manager.cloud_setup {
        return Outcome::Judged(Vec::new());
    }
    // nm-cloud-setup writes its rules with these priorities.
    let rules = model.snapshot.netlink.rules.rows().iter();
    let written = rules.filter(|rule| (30_200..=30_400).contains(&rule.priority)).count();
    let severity = if written > 0 { Fail } else { Warn };
    Outcome::Judged(vec![
        Finding::new(
            severity,
            SubjectKind::Setting,
            "nm-cloud-setup",
            "nm-cloud-setup is enabled: it writes policy rules that take pods' packets.".to_owned(),
        )
        .seen("nm-cloud-setup", "enabled", "service or timer in systemd's directories")
        .seen("its policy rules", written, "ip rule, priorities 30200 to 30400")
        .fix("Disable nm-cloud-setup and reboot the node, which removes its rules (drain the node first).")
        .run("systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer"),
    ])
}
