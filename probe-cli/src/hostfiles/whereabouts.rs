//! Whereabouts' own files (whereabouts script/lib.sh): its addresses are in the API server, not on disk.

use super::{
    hosts, kubeconfig,
    notes::FileNotes,
    parse::{json, note_trouble},
    root::Root,
    tree::At,
};
use crate::{facts::files::Whereabouts, observed::Observed};

/// Its directory, in the one of the runtime's CNI configuration, where its own script makes it.
const DIRECTORY: &str = "whereabouts.d";
/// Where the plugin looks for it besides (whereabouts pkg/config/config.go, `GetFlatIPAM`).
const OTHERS: [&str; 2] = ["/etc/kubernetes/cni/net.d", "/etc/cni/net.d"];

/// Whereabouts' files, in `cni`, the runtime's CNI directory, or where else the plugin looks. Absent where its directory is.
pub(super) fn read(root: &Root, cni: &str, notes: &mut FileNotes) -> Observed<Whereabouts> {
    let mut answer = Observed::Absent;
    for parent in [cni].into_iter().chain(OTHERS) {
        let directory = format!("{}/{DIRECTORY}", parent.trim_end_matches('/'));
        match root.exists(&directory) {
            Observed::Value(()) => return Observed::Value(files(root, &directory, notes)),
            Observed::Absent => {}
            other @ (Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. }) => {
                answer = other.map(|()| Whereabouts::default());
            }
        }
    }
    answer
}

fn files(root: &Root, directory: &str, notes: &mut FileNotes) -> Whereabouts {
    let path = format!("{directory}/whereabouts.conf");
    let answer = json(root, &path);
    note_trouble(&answer, &path, notes);
    let mut found = Whereabouts {
        nodename: hosts::one_line(root, &format!("{directory}/nodename")),
        ..Whereabouts::default()
    };
    if let Some(node) = answer.value() {
        let at = At::go_json(&path, node);
        found.datastore = at.string("datastore");
        found.kubeconfig = at.get("kubernetes").and_then(|kubernetes| kubernetes.string("kubeconfig"));
        found.reconciler = at.string("reconciler_cron_expression");
    }
    let own = format!("{directory}/whereabouts.kubeconfig");
    let named = found.kubeconfig.as_ref().map_or(own.as_str(), |named| named.value.as_str());
    found.kubeconfig_file = kubeconfig::read(root, named);
    found
}
