//! The CNI's agent on this node, which writes a tunnel with its routes, neighbours and FDB again when it starts: how it is started
//! again.

use super::prelude::*;
use crate::{
    facts::files::K3sRole,
    model::{Cni, System},
};

/// The finding, with the command that restarts the agent where it is known.
pub(super) fn restarted(model: &Model, finding: Finding) -> Finding {
    match command(model) {
        Some(command) => finding.run(command),
        None => finding,
    }
}

/// The same of all findings.
pub(super) fn all_restarted(model: &Model, outcome: Outcome) -> Outcome {
    let Outcome::Judged(findings) = outcome else { return outcome };
    Outcome::Judged(findings.into_iter().map(|finding| restarted(model, finding)).collect())
}

/// What to know of that command, a sentence with a blank before it; empty when nothing.
pub(super) fn interrupted(model: &Model) -> &'static str {
    match (is_k3s(model), command(model).is_some()) {
        (true, _) if is_k3s_server(model) => " The API server of this node is away for some seconds.",
        (false, true) => " Run this where kubectl works.",
        (true, _) | (false, false) => "",
    }
}

/// With the command that lists this node's pods, the agent's and Multus's among them.
pub(super) fn listed(model: &Model, finding: Finding) -> Finding {
    finding.run(format!("kubectl get pods -A -o wide --field-selector {}", on_node(model)))
}

/// Restricts kubectl to this node's pods; quoted.
pub(super) fn on_node(model: &Model) -> String {
    let name = model.setup.intent.as_ref().and_then(|intent| intent.node_name.as_ref());
    let name = name.map(|name| name.value.as_str()).or(model.inventory.node.hostname.as_deref());
    quoted(&format!("spec.nodeName={}", name.unwrap_or("NODE")))
}

fn configured(model: &Model) -> Option<&Cni> {
    model.setup.intent.as_ref()?.cni.as_ref().map(|cni| &cni.value)
}

fn is_k3s(model: &Model) -> bool {
    configured(model) == Some(&Cni::K3sFlannel)
}

fn is_k3s_server(model: &Model) -> bool {
    let role = model.snapshot.files.value().and_then(|files| files.k3s_role.as_ref());
    role.is_none_or(|role| role.value == K3sRole::Server)
}

fn command(model: &Model) -> Option<String> {
    if is_k3s(model) {
        let unit = if is_k3s_server(model) { "k3s" } else { "k3s-agent" };
        return Some(format!("systemctl restart {unit}"));
    }
    let pod = |namespace: &str, label: &str| {
        format!("kubectl -n {namespace} delete pod -l {label} --field-selector {}", on_node(model))
    };
    let has = |system: System| model.inventory.data_planes.iter().any(|plane| plane.system == system);
    if has(System::Canal) {
        Some(pod("kube-system", "k8s-app=canal"))
    } else if has(System::Rke2Flannel) {
        Some(pod("kube-system", "app=flannel"))
    } else if has(System::Calico) || has(System::CalicoEbpf) {
        Some(pod("calico-system", "k8s-app=calico-node"))
    } else if has(System::Cilium) {
        Some(pod("kube-system", "k8s-app=cilium"))
    } else if configured(model) == Some(&Cni::Canal) {
        // Its data plane is gone.
        Some(pod("kube-system", "k8s-app=canal"))
    } else {
        None
    }
}
