//! The files that the runtime and CNI plugins read: without them, or with wrong ones, no pod starts or gets its interfaces.

use crate::{
    facts::files::{CniDirectory, CniPlugin, HostFiles, Kubeconfig, Multus, Sourced},
    model::Model,
    observed::Observed,
};

pub(super) mod configuration_missing;
pub(super) mod file_broken;
pub(super) mod first_foreign;
pub(super) mod multus_alone;
pub(super) mod multus_daemon;
pub(super) mod multus_kubeconfig;
pub(super) mod multus_waits;
pub(super) mod node_name_differs;
pub(super) mod range_without_network;
pub(super) mod sriov_default;
pub(super) mod whereabouts_kubeconfig;

/// Why a check does not apply where Multus is not the default network.
const NO_MULTUS: &str = "Multus is not installed";

fn files(model: &Model) -> Option<&HostFiles> {
    model.snapshot.files.value()
}

/// The runtime's CNI directory.
fn directory(model: &Model) -> Option<&CniDirectory> {
    files(model)?.cni.value()
}

/// Multus, where it is the first file's plugin, with the path of that file.
fn multus(model: &Model) -> Option<(&str, &CniPlugin, &Multus)> {
    let directory = directory(model)?;
    let file = directory.files.get(directory.default_network?)?;
    let plugin = file.network.plugins.first()?;
    Some((&file.file, plugin, plugin.multus.as_deref()?))
}

/// What is wrong with a kubeconfig of a plugin.
enum Access {
    /// The file is not there.
    Missing,
    /// Its token ended this many seconds ago.
    Expired(u64),
}

/// See [`Access`]; none when nothing is wrong, or it could not be read.
fn access(model: &Model, file: &Observed<Kubeconfig>) -> Option<Access> {
    match file {
        Observed::Absent => Some(Access::Missing),
        Observed::Value(found) => {
            let expires = u64::try_from(found.token_expires?).ok()?;
            let now = model.snapshot.taken_at.as_secs();
            now.checked_sub(expires).filter(|past| *past > 0).map(Access::Expired)
        }
        Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. } => None,
    }
}

/// The finding about a kubeconfig at `path`.
fn without_access(
    who: &str,
    path: &Sourced<String>,
    file: &Observed<Kubeconfig>,
    access: &Access,
) -> crate::check::Finding {
    use super::prelude::*;
    let name = shown(&path.value);
    let summary = match access {
        Access::Missing => format!("{who} has no kubeconfig: {name} does not exist."),
        Access::Expired(_) => {
            format!("{who} cannot ask the API server: the token in its kubeconfig has expired.")
        }
    };
    let finding = Finding::new(Fail, SubjectKind::File, &path.value, summary).seen(
        format!("{who}'s kubeconfig"),
        &name,
        escape(&path.place()),
    );
    match access {
        Access::Missing => finding,
        Access::Expired(past) => {
            let written = file.value().map_or_else(String::new, |file| escape(&file.file));
            finding.seen(
                "token",
                format!("expired {} ago", crate::text::age(Some(std::time::Duration::from_secs(*past)))),
                written,
            )
        }
    }
}
