//! An interface of the overlay or of a pod delays or loses packets on purpose.

use super::{super::prelude::*, link};
use crate::{
    facts::netlink::LinkFact,
    model::{LinkRole, LinkRow, Pod},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-netem",
    family: Family::Dataplane,
    title: "an interface delays or loses packets on purpose (netem)",
    symptom: "Connections are slow, packets are lost, and no counter of an interface shows it.",
    core: false,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "The root qdisc of tunnels, of devices below them, of pods' ends on the node and of interfaces in pods: `netem`. One that \
              is a class of another qdisc is not seen.",
        why: "netem is there to try out bad networks. A test of faults (Chaos Mesh, or tc by hand) runs, or ended without taking it \
              away.",
        fix: "Delete the qdisc, unless a test runs.",
        not_if: "Somebody tests with it on purpose.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if !model.inventory.links.links.iter().any(carries_pods) {
        return Outcome::DoesNotApply("no interface of an overlay or of pods is here");
    }
    let links = &model.snapshot.netlink.links;
    // The kernel names it of each link; a recording of an earlier version does not.
    if links.iter().all(|link| link.qdisc.is_none()) {
        return Outcome::NotJudged("no interface's qdisc was read".to_owned());
    }
    let delaying = links.iter().filter(|link| delays(link));
    let on_node = delaying.filter(|one| link(model, one.ifindex).is_some_and(carries_pods)).map(on_node);
    let pods = model.inventory.pods.iter().filter(|pod| !pod.host_network);
    let in_pods = pods.flat_map(|pod| inside(model, pod).map(|link| in_pod(pod, link)));
    Outcome::Judged(on_node.chain(in_pods).collect())
}

/// Packets of pods leave by it, on their way to other nodes or to pods.
fn carries_pods(row: &LinkRow) -> bool {
    row.roles.iter().any(|role| !matches!(role, LinkRole::Nic | LinkRole::OtherNamespace))
}

/// `netem_qdisc_ops`, net/sched/sch_netem.c.
fn delays(link: &LinkFact) -> bool {
    link.qdisc.as_deref() == Some("netem")
}

/// Such interfaces in a pod's namespace.
fn inside<'a>(model: &'a Model, pod: &'a Pod) -> impl Iterator<Item = &'a LinkFact> {
    let namespaces = model.snapshot.namespaces.iter();
    let its = namespaces.filter(|of| Some(&of.path) == pod.netns.as_ref()).filter_map(|of| of.told.value());
    its.flat_map(|namespace| &namespace.links).filter(|link| delays(link))
}

fn on_node(link: &LinkFact) -> Finding {
    let name = escape(&link.name);
    Finding::new(
        Warn,
        SubjectKind::Interface,
        &link.name,
        format!("{name} delays, loses or changes packets on purpose: its qdisc is netem."),
    )
    .on(link.ifindex)
    .seen(format!("qdisc of {name}"), "netem", format!("tc qdisc show dev {name}"))
    .fix("netem is for tests. If none runs on this node (Chaos Mesh, or tc by hand), delete it.")
    .run(format!("tc qdisc del dev {} root", quoted(&link.name)))
}

fn in_pod(pod: &Pod, link: &LinkFact) -> Finding {
    let (label, name) = (pod.label(), escape(&link.name));
    Finding::new(
        Warn,
        SubjectKind::Pod,
        &label,
        format!("{name} in {} delays, loses or changes packets on purpose: its qdisc is netem.", escape(&label)),
    )
    .seen(format!("qdisc of {name}"), "netem", "tc qdisc in the pod")
    .fix("netem is for tests. If none runs against this pod (Chaos Mesh, or tc by hand), delete the pod: its controller makes a new one.")
}
