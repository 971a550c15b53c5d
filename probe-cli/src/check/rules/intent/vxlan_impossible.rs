//! VXLAN is configured, and the kernel cannot make its devices.

use super::{super::prelude::*, source};
use crate::{
    facts::host::Installed,
    model::{Backend, Origin},
    observed::Observed,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-vxlan-impossible",
    family: Family::Intent,
    title: "VXLAN is configured, and the kernel has none",
    symptom: "The CNI's agent restarts again and again (\"operation not supported\"); the node stays NotReady.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "The configured backend against the kernel's modules (modules.dep, modules.builtin, /proc/modules), where no VXLAN \
              device is there.",
        why: "Distributions for small machines have the module vxlan in a package of its own.",
        fix: "Install the package with further modules (Ubuntu on a Raspberry Pi: linux-modules-extra-raspi).",
        not_if: "",
        seen_in: "flannel#1747, flannel#1953",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let backend = model.setup.intent.as_ref().and_then(|intent| intent.backend.as_ref());
    let Some(backend) = backend.filter(|backend| backend.value == Backend::Vxlan) else {
        return Outcome::DoesNotApply("VXLAN is not configured");
    };
    let modules = &model.snapshot.host.modules;
    let is_made = model.snapshot.netlink.links.iter().any(|link| link.vxlan.is_some());
    let is_loaded = modules.loaded.value().is_some_and(|loaded| loaded.contains("vxlan"));
    if is_made || is_loaded {
        return Outcome::Judged(Vec::new());
    }
    match modules.installed.value().and_then(|installed| installed.get("vxlan")) {
        Some(Installed::Missing) => {}
        Some(Installed::BuiltIn | Installed::Loadable) => return Outcome::Judged(Vec::new()),
        None => {
            let why = Observed::trouble(&modules.installed);
            return Outcome::NotJudged(
                why.unwrap_or_else(|| "the host's root has no list of this kernel's modules".to_owned()),
            );
        }
    }
    let place =
        backend.file.clone().map_or(Origin::Default, |file| Origin::File { file, line: backend.line });
    let kernel = model.inventory.node.kernel.as_deref().map_or_else(|| "unknown".to_owned(), escape);
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::Node,
            "kernel",
            format!("VXLAN is configured, and kernel {kernel} cannot make VXLAN devices."),
        )
        .seen("wanted", "VXLAN", source(&place))
        .seen("module vxlan", "not installed", format!("/lib/modules/{kernel}"))
        .fix("Install the package that has the module, load it, then restart the CNI's agent.")
        .run("modprobe vxlan"),
    ])
}
