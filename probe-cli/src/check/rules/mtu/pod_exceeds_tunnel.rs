//! Pods send larger packets than the way to other nodes carries.

use super::{super::prelude::*, is_without_ipv6, oversize, paths};
use crate::model::{Fit, MtuPath, PodMtu};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-pod-exceeds-tunnel",
    family: Family::Mtu,
    title: "pods' packets do not fit the tunnel",
    symptom: "TLS handshakes, uploads and large answers between nodes hang; ping and DNS work.",
    core: true,
    needs: &[Need::Routes],
    explained_by: &["mtu-tunnel-exceeds-underlay"],
    explain: Explain {
        how: "The MTU of pods' interfaces, by the node's end of each, against what the tunnel carries in one piece.",
        why: "RKE2's Canal gives pods a constant 1450 (calico.vethuMTU), whatever the tunnel carries: WireGuard carries 1420, \
              VXLAN over IPv6 1430, and both less on a smaller NIC. Pods learn it from ICMP messages, which firewalls drop and \
              UDP ignores.",
        fix: "Set the pods' MTU in the CNI's configuration, restart the CNI's DaemonSet, which writes its file anew, then recreate the \
              pods: an interface keeps its MTU.",
        not_if: "Pods talk to pods of the same node only.",
        seen_in: "kube-hetzner#2286, rancher#13984, cilium#47176",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let judged = |path: &&MtuPath| path.pods.iter().any(|pods| pods.fit.is_some());
    if !paths(model).any(|path| judged(&path)) {
        return Outcome::DoesNotApply("no pod's interface to compare with a tunnel");
    }
    let carrying = paths(model).filter(|path| !is_without_ipv6(path));
    Outcome::Judged(carrying.filter_map(|path| finding(model, path)).collect())
}

fn finding(model: &Model, path: &MtuPath) -> Option<Finding> {
    let too_big: Vec<&PodMtu> =
        path.pods.iter().filter(|pods| matches!(pods.fit, Some(Fit::TooBig(_)))).collect();
    let largest = too_big.iter().map(|pods| pods.mtu).max()?;
    let pods: usize = too_big.iter().map(|pods| pods.count).sum();
    let name = escape(&path.device);
    let mut finding = Finding::new(
        Fail,
        SubjectKind::Interface,
        &path.device,
        format!("Pods send packets of up to {largest} bytes; {name} carries {}.", path.usable),
    )
    .on(path.ifindex)
    .seen(format!("{} of pods", counted(pods, "interface")), largest, "IFLA_MTU of the node's end");
    if let Some(wanted) = model.setup.intent.as_ref().and_then(|intent| intent.pod_mtu.as_ref()) {
        let place = wanted.file.as_deref().map_or_else(|| "the chart's default".to_owned(), escape);
        let line = wanted.line.map_or_else(String::new, |line| format!(":{line}"));
        finding = finding.seen("MTU of new pods", wanted.value, format!("{place}{line}"));
    }
    let finding = finding.seen(name, path.usable, "IFLA_MTU and what is below");
    Some(oversize::dropped(finding, model).fix(format!(
        "Set the pods' MTU to {}, then recreate the pods. {}",
        smallest(model, path),
        HOW
    )))
}

/// Where each CNI has it. Canal's pods read it from a ConfigMap when they start, and flannel gives pods what VXLAN over IPv4 leaves
/// of its own, though VXLAN over IPv6 leaves 20 bytes less.
const HOW: &str = "Canal: calico.vethuMTU in the HelmChartConfig rke2-canal, then `kubectl -n kube-system rollout restart ds rke2-canal`. \
                   Calico: installation.calicoNetwork.mtu. flannel: Backend.MTU, less 20 where VXLAN is over IPv6; then delete the \
                   tunnel device and restart the agent.";

/// The MTU that suits all ways of these pods.
fn smallest(model: &Model, path: &MtuPath) -> u32 {
    paths(model).map(|other| other.usable).min().unwrap_or(path.usable)
}
