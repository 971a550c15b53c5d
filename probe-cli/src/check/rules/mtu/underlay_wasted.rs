//! The network below takes much larger packets than pods send.

use super::{super::prelude::*, paths};
use crate::model::Fit;

/// Bytes that must be unused on every interface of pods before it is worth a word: the difference between an Ethernet MTU of 1500
/// and any jumbo MTU, headers and differences of families aside.
const WASTED: u32 = 1000;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-underlay-wasted",
    family: Family::Mtu,
    title: "pods have a small MTU on a network with a large one",
    symptom: "Throughput between nodes is lower and CPU use higher than the network allows.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "MTUs of pods' interfaces against what the path carries.",
        why: "RKE2's Canal gives pods a constant 1450, also on a network with jumbo frames.",
        fix: "Check first that every node and every switch between them takes the size (`ping -M do -s SIZE NODE`): else pods lose their \
              large packets. Then raise the pods' MTU, restart the CNI's DaemonSet and recreate the pods.",
        not_if: "Not all nodes have the large MTU.",
        seen_in: "kops#5751",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let with_pods: Vec<_> =
        paths(model).filter(|path| path.pods.iter().any(|pods| pods.fit.is_some())).collect();
    if with_pods.is_empty() {
        return Outcome::DoesNotApply("no pod's interface to compare with a tunnel");
    }
    let is_wasted = |fit: Option<Fit>| matches!(fit, Some(Fit::Unused(unused)) if unused >= WASTED);
    let wasted = with_pods.into_iter().filter(|path| path.pods.iter().all(|pods| is_wasted(pods.fit)));
    Outcome::Judged(
        wasted
            .map(|path| {
                let name = escape(&path.device);
                let largest = path.pods.iter().map(|pods| pods.mtu).max().unwrap_or_default();
                Finding::new(
                    Warn,
                    SubjectKind::Interface,
                    &path.device,
                    format!("Pods send at most {largest} bytes, although {name} carries {}.", path.usable),
                )
                .seen("pods' interfaces", largest, "IFLA_MTU of the node's end")
                .seen(name, path.usable, "IFLA_MTU and what is below")
                .fix(format!(
                    "Set the pods' MTU to {} if every node and every switch between them takes packets of {} bytes (`ping -M do -s {} \
                     NODE`): Canal: calico.vethuMTU; then restart the CNI's DaemonSet and recreate the pods.",
                    path.usable,
                    path.usable.saturating_add(path.overhead),
                    // ping's size is without the headers of IPv4 and ICMP.
                    path.usable.saturating_add(path.overhead).saturating_sub(28)
                ))
            })
            .collect(),
    )
}
