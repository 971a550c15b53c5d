//! Faults in what files want of the kernel and of charts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Fault, canal, configure, flannel_conf, sourced};
use crate::{
    check::testdata::Node,
    facts::{
        files::{Chart, ChartKind},
        host::{HostFacts, Installed, Modules},
    },
    inventory::testdata::*,
    observed::Observed,
};

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        canal("intent-vxlan-impossible", |node| {
            let facts = node.facts();
            facts.links.retain(|link| link.vxlan.is_none());
            facts.routes.retain(|route| !matches!(route.ifindex, Some(FLANNEL | FLANNEL6)));
            facts.neighbours.clear();
            facts.fdb.clear();
            facts.addresses.retain(|own| own.ifindex != FLANNEL);
            node.set("flannel.backend", "vxlan");
            modules(node, Installed::Missing);
        }),
        canal("intent-direct-routing-unused", |node| {
            flannel_conf(node, |conf| conf.direct_routing = Some(sourced(true, 7)));
        }),
        canal("intent-cni-refused", |node| configure(node, "cni", "canal,multus")),
        canal("intent-cni-refused", |node| configure(node, "cni", "canal,cilium"))
            .with(&["intent-cni-differs"]),
        canal("intent-chart-unmatched", |node| {
            node.set("calico.vethuMTU", "1430");
            add_chart(node, "rke2-canal");
            configs(node, |config| config.namespace = None);
        }),
        canal("intent-chart-unmatched", |node| {
            node.set("calico.vethuMTU", "1430");
            add_chart(node, "rke2-cannal");
        }),
    ]
}

/// Where the module of VXLAN is, which is not loaded.
pub(in crate::check::tests) fn modules(node: &mut Node, vxlan: Installed) {
    let modules = Modules {
        loaded: Observed::Value(BTreeSet::new()),
        installed: Observed::Value(BTreeMap::from([("vxlan".to_owned(), vxlan)])),
        ..Modules::default()
    };
    node.snapshot.host = Arc::new(HostFacts { modules, ..(*node.snapshot.host).clone() });
}

/// A chart that RKE2 installs.
pub(in crate::check::tests) fn add_chart(node: &mut Node, name: &str) {
    let chart = Chart {
        kind: ChartKind::HelmChart,
        api_version: Some(sourced("helm.cattle.io/v1".to_owned(), 1)),
        name: sourced(name.to_owned(), 4),
        namespace: Some(sourced("kube-system".to_owned(), 5)),
        ..Chart::default()
    };
    if let Observed::Value(charts) = &mut node.files().charts {
        charts.push(chart);
    }
}

fn configs(node: &mut Node, change: fn(&mut Chart)) {
    if let Observed::Value(charts) = &mut node.files().charts {
        charts.iter_mut().filter(|chart| chart.kind == ChartKind::HelmChartConfig).for_each(change);
    }
}
