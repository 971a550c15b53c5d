//! What a planned change does to the MTU budget, as text and JSON: `show mtu --if`. What comes of it is computed in the model; here
//! are the words and the order of steps.

use std::fmt::Write as _;

use super::{align::wrapped, json::PlannedMtu, mtu::tree};
use crate::{
    model::{Break, Model, Planned, PlannedBackend, Setting, Settings, System, Where},
    text,
};

/// The document, with a line end: that of `show mtu` with `planned`.
pub fn json(model: &Model, planned: &Planned) -> Result<String, serde_json::Error> {
    super::document(&PlannedMtu::new(model, planned))
}

/// The trees after the change, what is wrong between them, and what to do.
pub fn table(planned: &Planned) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "With {}, and nothing else changed:\n", asked(planned));
    for path in &planned.after {
        tree(&mut out, path, false);
        out.push('\n');
    }
    let breaks: Vec<String> = planned.breaks.iter().map(words).collect();
    out.push_str(if breaks.is_empty() { "Nothing breaks.\n" } else { "What breaks:\n" });
    for words in &breaks {
        wrapped(&mut out, "- ", words);
    }
    out.push('\n');
    wrapped(&mut out, "", &heading(&planned.settings));
    for line in lines(&planned.settings) {
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
    for caution in cautions(planned) {
        wrapped(&mut out, "! ", caution);
    }
    out.push_str("Steps:\n");
    for (number, step) in steps(planned).iter().enumerate() {
        wrapped(&mut out, &format!("{}. ", number + 1), step);
    }
    out.push_str("\nAfterwards:\n\n");
    for (number, path) in planned.settled.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        tree(&mut out, path, false);
    }
    out
}

/// `backend=wireguard and underlay=9000`.
fn asked(planned: &Planned) -> String {
    let changes = &planned.changes;
    let backend = changes.backend.map(|backend| format!("backend={backend}"));
    let underlay = changes.underlay.map(|mtu| format!("underlay={mtu}"));
    let family = changes.families.as_deref().map(|families| match families {
        [4] => "family=ipv4",
        [6] => "family=ipv6",
        _ => "family=dual",
    });
    let all: Vec<String> = backend.into_iter().chain(underlay).chain(family.map(str::to_owned)).collect();
    all.join(" and ")
}

/// What is wrong, as a sentence.
pub(super) fn words(broken: &Break) -> String {
    match broken {
        Break::PodsTooBig { device, count, largest, carries } => format!(
            "Pods send packets of up to {largest} bytes ({}); {} carries {carries}. Larger packets are refused with ICMP \"too big\" \
             or lost, until the pods have a smaller MTU and are recreated.",
            text::counted(*count, "interface"),
            text::escape(device)
        ),
        Break::TunnelTooBig { device, over } => format!(
            "{} sends outer packets {} too large for what is below: they leave as fragments or are dropped.",
            text::escape(device),
            text::counted(usize::try_from(*over).unwrap_or(usize::MAX), "byte")
        ),
        Break::Ipv6TooSmall { device, carries } => format!(
            "{} carries {carries} bytes, and IPv6 requires 1280: the kernel takes IPv6 off the device.",
            text::escape(device)
        ),
        Break::NoAddress { family } => format!(
            "No device below the tunnel has an IPv{family} address: flannel does not start with IPv{family}."
        ),
        Break::NotNeighbours { nodes } => {
            let shown: Vec<String> = nodes.iter().take(SHOWN).map(ToString::to_string).collect();
            let more = nodes.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let verb = if nodes.len() == 1 { "is" } else { "are" };
            format!(
                "host-gw needs all nodes on one link; {}{more} {verb} on no network of this node.",
                shown.join(", ")
            )
        }
        Break::OnlyIpv4 => "ipip carries IPv4 only: IPv6 of pods reaches no other node.".to_owned(),
        Break::RouteMtu { mtu } => format!(
            "A route to other nodes has an MTU of its own, {mtu}: larger packets do not leave in one piece until it is changed too."
        ),
        Break::BackendsDiffer => "Nodes with different backends do not reach each other's pods: from the first node's change to the \
                                  last one's, part of the traffic between nodes is lost."
            .to_owned(),
    }
}

/// Nodes that are named.
const SHOWN: usize = 3;

fn heading(settings: &Settings) -> String {
    match (&settings.place, settings.values.is_empty()) {
        (_, true) => match settings.place {
            Where::Unknown => {
                format!("It is unknown where this data plane has its MTUs; pods need {}.", settings.pod_mtu)
            }
            Where::HelmChartConfig { .. } | Where::K3s | Where::NetConf => {
                "Nothing to set: the sizes follow from the device below.".to_owned()
            }
        },
        (Where::HelmChartConfig { chart, file: Some(file) }, false) => format!(
            "Set in the same change, in the HelmChartConfig {chart} (there is one in {}: keep its other values):",
            text::escape(file)
        ),
        (Where::HelmChartConfig { .. }, false) => {
            "Set in the same change (on a server, in /var/lib/rancher/rke2/server/manifests; if there is a HelmChartConfig of this \
             name already, keep its other values):"
                .to_owned()
        }
        (Where::K3s, false) => "Set in the same change, in /etc/rancher/k3s/config.yaml of every server:".to_owned(),
        (Where::NetConf | Where::Unknown, false) => {
            "Set in the same change, in net-conf.json of flannel's ConfigMap:".to_owned()
        }
    }
}

/// What to set, as it is written where it belongs.
fn lines(settings: &Settings) -> Vec<String> {
    if settings.values.is_empty() {
        return Vec::new();
    }
    match &settings.place {
        Where::HelmChartConfig { chart, .. } => {
            let mut lines: Vec<String> = vec![
                "apiVersion: helm.cattle.io/v1".to_owned(),
                "kind: HelmChartConfig".to_owned(),
                "metadata:".to_owned(),
                format!("  name: {chart}"),
                "  namespace: kube-system".to_owned(),
                "spec:".to_owned(),
                "  valuesContent: |-".to_owned(),
            ];
            lines.extend(yaml(&settings.values).into_iter().map(|line| format!("    {line}")));
            lines
        }
        Where::K3s => yaml(&settings.values),
        Where::NetConf | Where::Unknown => {
            let values: Vec<String> = settings
                .values
                .iter()
                .filter_map(|setting| Some(format!("\"{}\": {}", setting.path.last()?, quoted(setting))))
                .collect();
            vec![format!("\"Backend\": {{ {} }}", values.join(", "))]
        }
    }
}

fn quoted(setting: &Setting) -> String {
    if setting.is_text { format!("\"{}\"", setting.value) } else { setting.value.clone() }
}

/// Values by their keys, one below the other; keys that lead to several stand once.
fn yaml(values: &[Setting]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: &[&str] = &[];
    for setting in values {
        let Some((last, parents)) = setting.path.split_last() else { continue };
        let common = open.iter().zip(parents).take_while(|(one, other)| one == other).count();
        for (depth, key) in parents.iter().enumerate().skip(common) {
            lines.push(format!("{}{key}:", "  ".repeat(depth)));
        }
        lines.push(format!("{}{last}: {}", "  ".repeat(parents.len()), quoted(setting)));
        open = parents;
    }
    lines
}

fn is_other_backend(planned: &Planned) -> bool {
    planned.changes.backend.is_some() && planned.changes.backend != planned.backend_before
}

/// What to know before anything is changed.
pub(super) fn cautions(planned: &Planned) -> Vec<&'static str> {
    let is_rke2 = matches!(planned.settings.place, Where::HelmChartConfig { .. });
    let backend = "RKE2 does not support another backend in a running cluster: set it when the cluster is made, or plan to drain the \
                   nodes.";
    let families = "Families follow from cluster-cidr, service-cidr and node-ip in the servers' configuration. RKE2 and k3s support \
                    other ones for a new cluster only.";
    let mut cautions = Vec::new();
    cautions.extend((is_rke2 && is_other_backend(planned)).then_some(backend));
    cautions.extend(planned.changes.families.as_ref().map(|_| families));
    cautions
}

/// What to do, in an order in which as little as possible is lost.
pub(super) fn steps(planned: &Planned) -> Vec<String> {
    let mut steps = Vec::new();
    let changes = &planned.changes;
    let (before, after) = planned.underlay;
    let nics: Vec<String> = planned.nics.iter().map(|nic| text::escape(nic)).collect();
    if changes.backend == Some(PlannedBackend::Wireguard) && is_other_backend(planned) {
        steps.push("On each node, see whether it can: overlay-probe check --for wireguard".to_owned());
    }
    if after > before {
        steps.push(format!(
            "Set MTU {after} on every port between the nodes and on {} of every node, for good where the system has it. Then measure \
             that it gets there: overlay-probe mtu",
            nics.join(" and ")
        ));
    }
    if !planned.settings.values.is_empty() {
        steps.push(format!("Set the values above, and {}.", restart(planned)));
    } else if matches!(planned.system, System::Cilium) {
        steps.push(format!("Restart the agents: {}.", restart(planned)));
    }
    let is_flannel = matches!(planned.system, System::Canal | System::Rke2Flannel | System::Flannel);
    let resized: Vec<String> = planned
        .resized
        .iter()
        .filter(|_| is_flannel)
        .map(|(device, mtu)| format!("ip link set {} mtu {mtu}", text::escape(device)))
        .collect();
    if !resized.is_empty() {
        steps.push(format!(
            "On each node, as flannel keeps the MTU of a device that exists: {}",
            resized.join("; ")
        ));
    }
    let leftover: Vec<String> =
        planned.leftover.iter().map(|device| format!("ip link delete {}", text::escape(device))).collect();
    if !leftover.is_empty() {
        steps.push(format!(
            "On each node, as flannel leaves devices that it no longer uses, and their routes go on taking packets: {}",
            leftover.join("; ")
        ));
    }
    steps.push("Recreate the pods: an interface keeps the MTU that it was made with.".to_owned());
    if after < before {
        steps.push(format!(
            "When no pod has the old MTU any more, set MTU {after} on {} of every node.",
            nics.join(" and ")
        ));
    }
    steps.push("Verify: overlay-probe check, and overlay-probe mtu".to_owned());
    steps
}

fn restart(planned: &Planned) -> &'static str {
    match (planned.system, &planned.settings.place) {
        (System::Canal, _) => "kubectl -n kube-system rollout restart ds rke2-canal",
        (System::Flannel, Where::K3s) => "restart k3s on every node, servers first",
        (System::Rke2Flannel | System::Flannel, _) => "restart flannel's DaemonSet",
        (System::Cilium, _) => "kubectl -n kube-system rollout restart ds cilium",
        (System::Calico | System::CalicoEbpf, _) => "wait until Calico's agents have taken them",
        (System::Unknown, _) => "restart the agents",
    }
}

#[cfg(test)]
mod tests;
