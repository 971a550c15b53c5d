//! WireGuard is configured, and this kernel cannot make such a device.

use super::{super::prelude::*, source};
use crate::model::{Backend, Encryption, Origin, PlannedBackend};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-wireguard-impossible",
    family: Family::Intent,
    title: "WireGuard is configured, and the kernel has none",
    symptom: "The CNI's agent restarts again and again; pods stay in ContainerCreating.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The configured backend or encryption, or the planned one (--for wireguard), against the generic netlink family of WireGuard and the kernel's modules.",
        why: "Linux has WireGuard since 5.6. Distributions with older or reduced kernels need a package with the module.",
        fix: "Install the module (linux-modules-extra, kmod-wireguard) or a newer kernel, or choose another backend.",
        not_if: "",
        seen_in: "k3s#11166, rke2#1997",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(intent) = &model.setup.intent else { return Outcome::DoesNotApply("no files are read") };
    let backend = intent.backend.as_ref().filter(|wanted| wanted.value == Backend::Wireguard);
    let backend = backend.map(|wanted| (&wanted.file, wanted.line));
    let encryption = intent.encryption.as_ref().filter(|wanted| wanted.value == Encryption::Wireguard);
    let encryption = encryption.map(|wanted| (&wanted.file, wanted.line));
    let is_planned = model.planned_backend == Some(PlannedBackend::Wireguard);
    let Some((file, line)) = backend.or(encryption).or_else(|| is_planned.then_some((&None, None))) else {
        return Outcome::DoesNotApply("WireGuard is not configured");
    };
    let what = if backend.or(encryption).is_some() { "configured" } else { "planned" };
    let place = file.clone().map_or(Origin::Default, |file| Origin::File { file, line });
    let kernel = model.inventory.node.kernel.as_deref().map_or_else(|| "unknown".to_owned(), escape);
    match model.inventory.node.has_wireguard {
        None => Outcome::NotJudged(format!(
            "it is unknown whether kernel {kernel} supports WireGuard: the module is not loaded, and its modules.dep below \
             /lib/modules could not be read"
        )),
        Some(true) => Outcome::Judged(Vec::new()),
        Some(false) => Outcome::Judged(vec![
            Finding::new(
                Fail,
                SubjectKind::Node,
                "kernel",
                format!("WireGuard is {what}, and kernel {kernel} cannot make WireGuard devices."),
            )
            .seen(
                "wanted",
                "WireGuard",
                if what == "planned" { "--for wireguard".to_owned() } else { source(&place) },
            )
            .seen("module", "not installed", "modules.dep, /sys/module")
            .fix(
                "Install the kernel's WireGuard module, or change the backend; then restart the CNI's agent.",
            )
            .run("modprobe wireguard"),
        ]),
    }
}
