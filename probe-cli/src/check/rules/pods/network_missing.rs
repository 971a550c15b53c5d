//! A pod has fewer secondary interfaces than it asks for.

use std::collections::BTreeSet;

use super::super::prelude::*;
use crate::{
    facts::pods::netns_name,
    model::{Pod, PodSource},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "pod-network-missing",
    family: Family::Pods,
    title: "a pod lacks a secondary network that it asks for",
    symptom: "A workload does not find its second interface (net1), although its pod runs.",
    core: false,
    needs: &[],
    explained_by: &[
        "intent-cni-refused",
        "intent-multus-missing",
        "intent-multus-nested",
        "cni-multus-alone",
    ],
    explain: Explain {
        how: "The networks in the pod's annotation k8s.v1.cni.cncf.io/networks, counted, against the interfaces in its namespace \
              beside eth0, the CNI results of its namespace and its virtual functions.",
        why: "The pod was made while Multus was not the node's first CNI configuration: after a reboot another file was there sooner.",
        fix: "Delete the pod, so that it is made again by Multus.",
        not_if: "The network's plugin makes no interface and leaves no result.",
        seen_in: "multus#1387, multus#1361, rke2#10360",
    },
    run,
};

/// Interfaces that are of no secondary network. containerd has libcni put up the loopback interface, and so keeps a result of it.
const OF_EVERY_POD: [&str; 2] = ["eth0", "lo"];

fn run(model: &Model) -> Outcome {
    let asking = |pod: &&Pod| {
        // Of others it is not known that all of their interfaces were made already.
        let is_complete = matches!(pod.source, PodSource::Cri | PodSource::Lab);
        let asked = pod.requested_networks.as_deref().map_or(0, networks);
        is_complete && !pod.host_network && !pod.interfaces.is_empty() && asked > 0
    };
    let pods: Vec<&Pod> = model.inventory.pods.iter().map(AsRef::as_ref).filter(asking).collect();
    if pods.is_empty() {
        return Outcome::DoesNotApply(
            "no pod asks for a secondary network, as far as its annotations and namespace were read",
        );
    }
    Outcome::Judged(pods.into_iter().filter_map(|pod| finding(model, pod)).collect())
}

fn finding(model: &Model, pod: &Pod) -> Option<Finding> {
    let annotation = pod.requested_networks.as_deref()?;
    let asked = networks(annotation);
    let netns = netns_name(pod.netns.as_deref()?)?;
    let results: BTreeSet<&str> = model
        .snapshot
        .pods
        .attachments
        .iter()
        .filter(|attachment| attachment.netns.as_deref().and_then(netns_name) == Some(netns))
        .map(|attachment| attachment.ifname.as_str())
        .collect();
    // Without any result the cache is elsewhere, and tells nothing of devices that are no interfaces.
    if results.is_empty() {
        return None;
    }
    let in_results = results.iter().filter(|name| !OF_EVERY_POD.contains(name)).count();
    let is_its = |namespace: &str, name: &str| {
        pod.namespace.as_deref() == Some(namespace) && pod.name.as_deref() == Some(name)
    };
    let vfs = model.vfs.iter().filter_map(|row| row.vf.pod.as_ref());
    let vfs = vfs.filter(|of| is_its(&of.namespace, &of.name)).count();
    let there = pod.secondary().count().max(in_results).max(vfs);
    if there >= asked {
        return None;
    }
    let label = pod.label();
    let words: String = annotation.chars().take(60).collect();
    let finding = Finding::new(
        Fail,
        SubjectKind::Pod,
        &label,
        format!("{} has {there} of the {} that it asks for.", escape(&label), counted(asked, "secondary network")),
    )
    .seen("asks for", shown(&words), "k8s.v1.cni.cncf.io/networks")
    .seen("interfaces beside eth0", pod.secondary().count(), "links in its namespace")
    .seen("CNI results beside eth0", in_results, "/var/lib/cni")
    .fix("Delete the pod: its controller makes a new one, by Multus. A pod without a controller does not come back.");
    Some(match (&pod.namespace, &pod.name) {
        (Some(namespace), Some(name)) => {
            finding.run(format!("kubectl -n {} delete pod {}", quoted(namespace), quoted(name)))
        }
        (_, _) => finding,
    })
}

/// Networks in an annotation: a list between commas, or objects in a list of JSON. None of one that is neither.
fn networks(annotation: &str) -> usize {
    let annotation = annotation.trim();
    if annotation.starts_with('[') {
        return objects(annotation).unwrap_or_default();
    }
    annotation.split(',').filter(|name| !name.trim().is_empty()).count()
}

/// Objects right in a list of JSON; none where brackets do not match.
fn objects(list: &str) -> Option<usize> {
    let (mut depth, mut found, mut in_text, mut is_escaped) = (0_usize, 0, false, false);
    for c in list.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_text => is_escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '[' | '{' => {
                found += usize::from(c == '{' && depth == 1);
                depth += 1;
            }
            ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    (depth == 0 && !in_text).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_name_networks() {
        for (annotation, expected) in [
            ("storage, shop/ev@net2", 2),
            (
                "[{\"name\": \"a\", \"interface\": \"net7\"}, {\"name\": \"b\", \"cni-args\": {\"x\": [{}]}}]",
                2,
            ),
            ("[{\"name\": \"}, {\\\"\"}]", 1),
            ("[{\"name\": ", 0),
            ("]{", 1),
            ("[]]", 0),
            (" ", 0),
        ] {
            assert_eq!(networks(annotation), expected, "{annotation}");
        }
    }
}
