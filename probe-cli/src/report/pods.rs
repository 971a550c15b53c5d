//! Pods as text and JSON: `show pods`.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    align::{aligned, heading, wrapped},
    json::Pods,
};
use crate::{
    model::{AttachmentIpam, Evidence, Inventory, Model, Pod, PodInterface, PodSource},
    text,
};

/// Addresses and ranges of one pod that are shown; the others are in the JSON.
const SHOWN: usize = 4;

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    super::document(&Pods::new(&listed(model), &model.inventory.notes))
}

/// The pods, and those that no source names and that only the bridge of the pod network shows: what they are called and which
/// addresses they have is not known, and what they carry is counted for nobody.
pub fn listed(model: &Model) -> Vec<Arc<Pod>> {
    let Inventory { pods, pod_links, links, .. } = &*model.inventory;
    let known: BTreeSet<u32> = pods.iter().filter_map(|pod| pod.host_ifindex).collect();
    let nameless = pod_links.iter().filter(|link| !known.contains(&link.ifindex)).map(|link| Pod {
        source: PodSource::Bridge,
        host_ifindex: Some(link.ifindex),
        host_ifname: links.links.iter().find(|row| row.ifindex == link.ifindex).map(|row| row.name.clone()),
        host_evidence: Some(Evidence::Bridge),
        ..Pod::default()
    });
    let mut listed: Vec<Arc<Pod>> = pods.iter().cloned().chain(nameless.map(Arc::new)).collect();
    listed.sort_by_cached_key(|pod| pod.key());
    listed
}

/// A table of pods, one of secondary interfaces where there are some, then the notes.
pub fn table(model: &Model) -> String {
    let (pods, notes) = (listed(model), &model.inventory.notes);
    let mut out = String::new();
    let mut rows = vec![heading(&["POD", "ADDRESSES", "INTERFACE", "FOUND BY"])];
    rows.extend(pods.iter().map(|pod| {
        let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
        let interface = match &pod.host_ifname {
            Some(name) => text::escape(name),
            None if pod.host_network => "node's own".to_owned(),
            None => "-".to_owned(),
        };
        vec![text::escape(&pod.label()), list(&addresses), interface, found_by(pod)]
    }));
    aligned(&mut out, &rows);
    let interfaces: Vec<_> =
        pods.iter().flat_map(|pod| pod.secondary().map(move |interface| (pod, interface))).collect();
    if !interfaces.is_empty() {
        out.push('\n');
        let names = ["POD", "SECONDARY", "KIND", "PARENT", "MTU", "NETWORK", "ADDRESSES", "IPAM"];
        let is_known = interfaces.iter().any(|(_, interface)| interface.ipam.is_some());
        let mut rows = vec![heading(&names)];
        rows.extend(interfaces.into_iter().map(|(pod, interface)| secondary(pod, interface)));
        if !is_known {
            for row in &mut rows {
                row.truncate(names.len() - 1);
            }
        }
        aligned(&mut out, &rows);
    }
    for note in notes {
        wrapped(&mut out, "! ", &text::escape(note));
    }
    out
}

fn secondary(pod: &Pod, interface: &PodInterface) -> Vec<String> {
    let dash = |value: Option<&String>| value.map_or_else(|| "-".to_owned(), |value| text::escape(value));
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    let state = if interface.up { "" } else { " (down)" };
    vec![
        text::escape(&pod.label()),
        format!("{}{state}", text::escape(&interface.name)),
        interface.kind.as_deref().map_or_else(|| "hardware".to_owned(), text::escape),
        dash(interface.parent.as_ref().or(interface.hardware.as_ref())),
        interface.mtu.to_string(),
        dash(interface.network.as_ref()),
        list(&addresses),
        interface.ipam.as_ref().map_or_else(|| "-".to_owned(), ipam),
    ]
}

/// The plugin, then what it takes addresses out of.
fn ipam(ipam: &AttachmentIpam) -> String {
    let ranges: Vec<String> = ipam.ranges.iter().map(|range| text::escape(range)).collect();
    let ranges = if ranges.is_empty() { String::new() } else { format!("\n{}", list(&ranges)) };
    format!("{}{ranges}", text::escape(&ipam.kind))
}

/// Who named the pod, then what led to its veth.
fn found_by(pod: &Pod) -> String {
    let named = match pod.source {
        PodSource::Cri => Some("cri"),
        PodSource::Libcni => Some("cache"),
        PodSource::Lab => Some("lab"),
        PodSource::Route | PodSource::Bridge => None,
    };
    let veth = pod.host_evidence.map(|evidence| match evidence {
        Evidence::CalicoName => "name",
        Evidence::LibcniResult => "cache",
        Evidence::PeerIndex => "peer",
        Evidence::LabRegistry => "lab",
        Evidence::Route => "route",
        Evidence::Bridge => "bridge",
        Evidence::Cri => "cri",
        Evidence::InPod => "pod",
    });
    // The cache may have named both.
    let mut words: Vec<&str> = named.into_iter().chain(veth).collect();
    words.dedup();
    words.join(", ")
}

/// A line for each, and how many there are more.
fn list(values: &[String]) -> String {
    let more = values.len().saturating_sub(SHOWN);
    let shown = values.iter().take(SHOWN).cloned();
    let lines: Vec<String> = shown.chain((more > 0).then(|| format!("and {more} more"))).collect();
    if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::{super::align::WIDTH, *};
    use crate::{
        inventory::testdata::{bridged_pod, calico_pod, flannel4, node},
        model::{
            Disagreement, Disputed, Mac,
            testdata::{of_facts, of_inventory},
        },
    };

    fn pods() -> Vec<Pod> {
        let interface = |name: &str, kind: &str, is_default| PodInterface {
            name: name.to_owned(),
            ifindex: 2,
            kind: Some(kind.to_owned()),
            mtu: 1450,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            up: true,
            is_default,
            ..PodInterface::default()
        };
        let first = Pod {
            namespace: Some("shop".to_owned()),
            name: Some("cart-e45f23531-44001".to_owned()),
            uid: Some("0b7a".to_owned()),
            source: PodSource::Cri,
            addresses: vec!["10.42.1.2".parse().unwrap(), "fd00:42:0:1::2".parse().unwrap()],
            host_ifindex: Some(9),
            host_ifname: Some("cali0123456789a".to_owned()),
            host_evidence: Some(Evidence::CalicoName),
            netns: Some("/var/run/netns/cni-1".to_owned()),
            interfaces: vec![
                interface("eth0", "veth", true),
                PodInterface {
                    parent: Some("eth0".to_owned()),
                    network: Some("shop/storage".to_owned()),
                    addresses: vec!["192.0.2.9/24".parse().unwrap()],
                    ipam: Some(AttachmentIpam {
                        kind: "whereabouts\u{1b}".to_owned(),
                        ranges: vec!["192.0.2.0/24".to_owned()],
                        node_slice_size: Some("/26".to_owned()),
                        network_name: None,
                    }),
                    ..interface("net1", "macvlan", false)
                },
            ],
            requested_networks: Some("storage".to_owned()),
            disagreements: vec![Disagreement {
                about: Disputed::Addresses,
                evidence: Evidence::LibcniResult,
                says: "10.42.1.9".to_owned(),
            }],
            ..Pod::default()
        };
        let host = Pod {
            namespace: Some("kube-system".to_owned()),
            name: Some("evil\u{1b}[2J".to_owned() + &"x".repeat(250)),
            source: PodSource::Cri,
            host_network: true,
            ..Pod::default()
        };
        let unnamed = Pod {
            addresses: vec!["10.42.1.7".parse().unwrap()],
            host_ifindex: Some(12),
            host_ifname: Some("cali7".to_owned()),
            host_evidence: Some(Evidence::Route),
            ..Pod::default()
        };
        let cached = Pod {
            namespace: Some("kube-system".to_owned()),
            name: Some("rke2-coredns-rke2-coredns-autoscaler-7c8b5b8b9f-x2k4j".to_owned()),
            source: PodSource::Libcni,
            addresses: (1..=6).map(|n| format!("10.42.1.{n}").parse().unwrap()).collect(),
            host_ifname: Some("veth1a2b3c4d".to_owned()),
            host_evidence: Some(Evidence::LibcniResult),
            ..Pod::default()
        };
        vec![unnamed, host, first, cached]
    }

    fn model(notes: Vec<String>) -> Model {
        of_inventory(Inventory {
            pods: pods().into_iter().map(Arc::new).collect(),
            notes,
            ..Inventory::default()
        })
    }

    #[test]
    fn both_tables_fit_a_terminal() {
        let text = table(&model(vec!["something \u{1b} odd".to_owned()]));
        insta::assert_snapshot!(text);
        for line in text.lines() {
            assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn the_document_is_documented() {
        let document = json(&model(Vec::new())).unwrap();
        assert!(!document.trim_end().contains(char::is_control), "{document:?}");
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        let words = include_str!("../../../docs/json.md");
        let pods = value["pods"].as_array().unwrap();
        let whole = pods.iter().find(|pod| pod["namespace"] == "shop").unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(whole).unwrap());
        let interfaces = pods.iter().flat_map(|pod| pod["interfaces"].as_array().unwrap());
        for entry in pods.iter().chain(interfaces) {
            for name in entry.as_object().unwrap().keys() {
                assert!(words.contains(&format!("`{name}`")), "docs/json.md does not name {name}");
            }
        }
    }

    /// Pods that no source names are counted with links and MTUs, and so they are here.
    #[test]
    fn pods_on_a_bridge_without_a_name() {
        let mut facts = bridged_pod(flannel4(node(), 1), 20, "10.42.0.1/24");
        facts = calico_pod(facts, 30, "10.42.0.9/32");
        let model = of_facts(&facts);
        let listed = listed(&model);
        let rows: Vec<_> = listed
            .iter()
            .map(|pod| (pod.label(), pod.source, pod.host_evidence, pod.addresses.len()))
            .collect();
        assert_eq!(
            rows,
            [
                ("(cali30)".to_owned(), PodSource::Route, Some(Evidence::Route), 1),
                ("(veth1a2b3c4d)".to_owned(), PodSource::Bridge, Some(Evidence::Bridge), 0),
            ]
        );
        assert_eq!(listed.len(), model.inventory.pod_links.len());
        assert_eq!(model.inventory.pods.len(), 1, "what it carries is counted for nobody");
        let text = table(&model);
        assert!(text.contains("(veth1a2b3c4d) -         veth1a2b3c4d bridge"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&json(&model).unwrap()).unwrap();
        assert_eq!((&value["pods"][1]["source"], &value["pods"][1]["name"]), (&"bridge".into(), &().into()));
    }
}
