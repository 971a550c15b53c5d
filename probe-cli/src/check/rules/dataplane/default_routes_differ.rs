//! flannel wants the default routes of both families on one NIC.

use super::super::prelude::*;
use crate::model::{Cni, DefaultRoute};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-default-routes-differ",
    family: Family::Dataplane,
    title: "flannel finds the default routes of IPv4 and IPv6 on different NICs",
    symptom: "flannel restarts over and over: \"v6 default route interface ... must be the same with v4 default route interface\".",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "The preferred default route of each family, where flannel carries both and no file names its interface.",
        why: "flannel takes the NIC of the default routes and ends when they are two. It looks only when it starts, so that a \
              node works until its next restart.",
        fix: "Name the interface (flannel.iface, k3s: flannel-iface), or give both default routes to one NIC.",
        not_if: "The interface is named where this node has no file of it: agents of RKE2, which have no manifests, are not judged.",
        seen_in: "k3s#8794, rke2#4151",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    const NOT_DUAL: &str = "flannel does not carry both address families here";
    let Some(intent) = &model.setup.intent else { return Outcome::DoesNotApply(NOT_DUAL) };
    let cni = intent.cni.as_ref().map(|cni| &cni.value);
    let is_dual =
        [&intent.ipv4, &intent.ipv6].iter().all(|family| family.as_ref().is_some_and(|on| on.value));
    if !matches!(cni, Some(Cni::Canal | Cni::Flannel | Cni::K3sFlannel)) || !is_dual {
        return Outcome::DoesNotApply(NOT_DUAL);
    }
    let has_manifests = model.snapshot.files.value().is_some_and(|files| files.charts.value().is_some());
    if cni != Some(&Cni::K3sFlannel) && !has_manifests {
        return Outcome::DoesNotApply("no manifest is here that could name flannel's interface");
    }
    if intent.interface.is_some() {
        return Outcome::Judged(Vec::new());
    }
    let (Some(ipv4), Some(ipv6)) = (preferred(model, 4), preferred(model, 6)) else {
        return Outcome::DoesNotApply("there is no single default route of each family");
    };
    let (Some(by_v4), Some(by_v6)) = (&ipv4.interface, &ipv6.interface) else {
        return Outcome::DoesNotApply("there is no single default route of each family");
    };
    if by_v4 == by_v6 {
        return Outcome::Judged(Vec::new());
    }
    let inventory = &model.inventory;
    let is_there = |is_v6: bool| {
        let mut tunnels = inventory.all_tunnels().filter(|tunnel| inventory.is_in_use(tunnel.ifindex));
        tunnels.any(|tunnel| tunnel.addresses.iter().any(|own| own.addr().is_ipv6() == is_v6))
    };
    let (severity, when) = if is_there(false) && is_there(true) {
        (Warn, "will not start again")
    } else {
        (Fail, "does not start")
    };
    let (v4, v6) = (escape(by_v4), escape(by_v6));
    Outcome::Judged(vec![
        Finding::new(
            severity,
            SubjectKind::Node,
            "default routes",
            format!("flannel {when}: default routes leave by {v4} (IPv4) and {v6} (IPv6)."),
        )
        .seen("IPv4 default route", format!("dev {v4}"), "ip -4 route")
        .seen("IPv6 default route", format!("dev {v6}"), "ip -6 route")
        .seen("interface of flannel", "not named", "manifests and configuration")
        .fix(
            "Name the interface that nodes reach each other by: flannel.iface in a HelmChartConfig of the CNI's chart (k3s: \
             flannel-iface in config.yaml), then restart the CNI's agents (kubectl -n kube-system rollout restart ds rke2-canal); pods \
             keep running.",
        ),
    ])
}

/// The default route of a family that is taken; none where several of them are, or there is none.
fn preferred(model: &Model, family: u8) -> Option<&DefaultRoute> {
    let of_family = || model.inventory.node.default_routes.iter().filter(move |route| route.family == family);
    let first = of_family().next()?;
    let mut equal = of_family().filter(|route| route.metric == first.metric);
    equal.all(|route| route.interface == first.interface).then_some(first)
}
