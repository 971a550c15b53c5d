//! Which distribution of Kubernetes the node is of, and whether it is a server: only servers say what the network is, and take
//! defaults where they do not. Nothing of the network itself.

use crate::facts::files::{HostFiles, K3sRole};

/// The node is a server of RKE2 or k3s: it has manifests, or its unit starts one.
pub(super) fn is_server(files: &HostFiles) -> bool {
    files.charts.value().is_some() || is_k3s_server(files)
}

/// The node is a server of k3s.
pub(super) fn is_k3s_server(files: &HostFiles) -> bool {
    match &files.k3s_role {
        Some(role) => role.value == K3sRole::Server,
        None => files.charts.value().is_some() && files.k3s_directory.value().is_some(),
    }
}

/// k3s is on the node, as far as files tell.
pub(super) fn is_k3s(files: &HostFiles) -> bool {
    files.k3s_role.is_some() || files.k3s_directory.value().is_some() || files.k3s.value().is_some()
}
