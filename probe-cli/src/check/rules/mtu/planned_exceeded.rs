//! Before a switch to another backend: the MTU that new pods get does not fit the tunnel that will be there.

use super::super::{planned, prelude::*};
use crate::model::{Encapsulation, System};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-planned-exceeded",
    family: Family::Mtu,
    title: "pods' MTU does not fit the planned backend",
    symptom: "After the switch TLS handshakes, uploads and large answers between nodes hang; ping and DNS work.",
    core: false,
    needs: &[Need::Planned, Need::Routes, Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "With --for wireguard: the MTU of new pods as the chart or the CNI's file has it, else that of the pods that are here, \
              against what flannel's WireGuard devices will carry.",
        why: "RKE2's Canal gives pods a constant MTU (calico.vethuMTU), whatever the backend: 1450 unless somebody sets it, and \
              WireGuard carries 1420 on a NIC of 1500.",
        fix: "Set calico.vethuMTU in the same change as the backend: `overlay-probe show mtu --if backend=wireguard` has all values.",
        not_if: "",
        seen_in: "kube-hetzner#2286, rancher#13984",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let planned = match planned::of(model) {
        Ok(planned) => planned,
        Err(outcome) => return outcome,
    };
    if planned.system != System::Canal {
        return Outcome::DoesNotApply("flannel gives pods what its tunnel leaves");
    }
    let intended = model.setup.intent.as_ref().and_then(|intent| intent.pod_mtu.as_ref());
    let (now, place) = if let Some(mtu) = intended {
        let place = mtu.file.as_deref().map_or_else(|| "the chart's default".to_owned(), escape);
        let line = mtu.line.map_or_else(String::new, |line| format!(":{line}"));
        (Some(mtu.value), format!("{place}{line}"))
    } else {
        let pods = planned.after.iter().flat_map(|path| &path.pods);
        (pods.map(|pods| pods.mtu).max(), "IFLA_MTU of the node's end".to_owned())
    };
    let needed = planned.settings.pod_mtu;
    let Some(now) = now.filter(|now| *now > needed) else { return Outcome::Judged(Vec::new()) };
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Setting,
        "calico.vethuMTU",
        format!("New pods get an MTU of {now}; after the switch {needed} fit."),
    )
    .seen("MTU of new pods", now, place);
    for path in planned.after.iter().filter(|path| path.encapsulation != Encapsulation::None) {
        let below = planned.underlay.1;
        let name = format!("{} will carry", escape(&path.device));
        finding = finding.seen(name, path.usable, format!("{below} below, {} of headers", path.overhead));
    }
    Outcome::Judged(vec![finding.fix(format!(
        "Set calico.vethuMTU to {needed} in the HelmChartConfig rke2-canal in the same change as the backend, then recreate the pods: \
         `overlay-probe show mtu --if backend=wireguard` has all values and steps."
    ))])
}
