//! Whereabouts' own files (whereabouts script/lib.sh): its addresses are in the API server, not on disk.

use super::{
    hosts, kubeconfig,
    notes::Notes,
    parse::{json, note_trouble},
    root::Root,
    tree::At,
};
use crate::{facts::files::Whereabouts, observed::Observed};

/// Where it has its files.
const DIRECTORY: &str = "/etc/cni/net.d/whereabouts.d";

/// Whereabouts' files. Absent where its directory is.
pub(super) fn read(root: &Root, notes: &mut Notes) -> Observed<Whereabouts> {
    root.exists(DIRECTORY).map(|()| {
        let path = format!("{DIRECTORY}/whereabouts.conf");
        let answer = json(root, &path);
        note_trouble(&answer, &path, notes);
        let mut found = Whereabouts {
            kubeconfig_file: kubeconfig::read(root, &format!("{DIRECTORY}/whereabouts.kubeconfig")),
            nodename: hosts::one_line(root, &format!("{DIRECTORY}/nodename")),
            ..Whereabouts::default()
        };
        if let Some(node) = answer.value() {
            let at = At::root(&path, node);
            found.datastore = at.string("datastore");
            found.kubeconfig = at.get("kubernetes").and_then(|kubernetes| kubernetes.string("kubeconfig"));
            found.reconciler = at.string("reconciler_cron_expression");
        }
        found
    })
}
