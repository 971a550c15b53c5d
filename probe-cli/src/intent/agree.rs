//! One answer out of several files: the first one that says something counts, and those that say something else are noted.

use std::{fmt::Display, str::FromStr};

use crate::{
    facts::files::{HostFiles, Sourced},
    intent::{Basis, Intended},
    observed::Observed,
    text::shown,
};

/// A file says so.
pub(super) fn said<T>(source: Sourced<T>) -> Intended<T> {
    Intended { value: source.value, basis: Basis::Configured, file: Some(source.file), line: source.line }
}

/// It follows from what a file says.
pub(super) fn follows<T, U>(source: &Sourced<U>, value: T) -> Intended<T> {
    Intended { value, basis: Basis::Inferred, file: Some(source.file.clone()), line: source.line }
}

/// No file says anything else.
pub(super) fn default<T>(value: T) -> Intended<T> {
    Intended { value, basis: Basis::Default, file: None, line: None }
}

/// Another value by the same words.
pub(super) fn like<T, U>(source: &Intended<U>, value: T, basis: Basis) -> Intended<T> {
    Intended { value, basis, file: source.file.clone(), line: source.line }
}

/// `file:line`, to be shown.
pub(super) fn place<T>(intended: &Intended<T>) -> String {
    match (&intended.file, intended.line) {
        (Some(file), Some(line)) => format!("{}:{line}", shown(file)),
        (Some(file), None) => shown(file),
        (None, _) => "the default".to_owned(),
    }
}

/// The first candidate. Those after it that say something else make a note, which ends with what to do about it.
pub(super) fn agree<T: PartialEq + Display>(
    what: &str,
    remedy: &str,
    candidates: impl IntoIterator<Item = Option<Intended<T>>>,
    notes: &mut Vec<String>,
) -> Option<Intended<T>> {
    let mut candidates = candidates.into_iter().flatten();
    let first = candidates.next()?;
    for other in candidates.filter(|other| other.value != first.value) {
        notes.push(format!(
            "{what}: {} says {}, but {} says {}: {remedy}",
            place(&first),
            shown(&first.value.to_string()),
            place(&other),
            shown(&other.value.to_string()),
        ));
    }
    Some(first)
}

/// A text as something else; what it cannot be is noted.
pub(super) fn parsed<T: FromStr>(
    what: &str,
    source: &Sourced<String>,
    notes: &mut Vec<String>,
) -> Option<Sourced<T>> {
    let value = source.value.trim().parse().ok().map(|value| source.with(value));
    if value.is_none() {
        notes.push(format!("{}: \"{}\" is not a valid {what}", shown(&source.place()), shown(&source.value)));
    }
    value
}

/// Why whole kinds of files are not known.
pub(super) fn troubles(files: &HostFiles) -> Vec<String> {
    fn trouble<T>(answer: &Observed<T>) -> Option<String> {
        answer.trouble().map(|trouble| shown(&trouble))
    }
    let troubles = [
        ("RKE2's configuration", trouble(&files.rke2)),
        ("k3s' configuration", trouble(&files.k3s)),
        ("Helm charts", trouble(&files.charts)),
        ("flannel's net-conf.json", trouble(&files.flannel)),
        ("flannel's cni-conf.json", trouble(&files.flannel_cni)),
        ("flannel's subnet.env", trouble(&files.subnet_env)),
        ("CNI configuration", trouble(&files.cni)),
        ("Multus' networks", trouble(&files.multus_networks)),
        ("Whereabouts", trouble(&files.whereabouts)),
        ("Calico's nodename", trouble(&files.calico_nodename)),
        ("Calico's MTU", trouble(&files.calico_mtu)),
        ("/etc/hostname", trouble(&files.hostname)),
        ("/etc/hosts", trouble(&files.hosts)),
        ("NetworkManager", trouble(&files.network_manager)),
        ("systemd-networkd", trouble(&files.networkd)),
    ];
    let told =
        troubles.into_iter().filter_map(|(what, trouble)| Some(format!("cannot read {what}: {}", trouble?)));
    told.collect()
}
