//! Packets go into a tunnel that are larger than what leaves below it in one piece.

use super::{
    super::{drops, prelude::*},
    counted_per_second, lowered_or, oversize,
};
use crate::model::{DropRow, PodRow, TunnelRow};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-packets-too-big",
    family: Family::Mtu,
    title: "packets are sent that do not fit below the tunnel",
    symptom: "Large transfers between nodes are slow or hang; ping with small packets works.",
    core: false,
    needs: &[Need::Routes, Need::Traffic],
    explained_by: &["mtu-tunnel-exceeds-underlay", "mtu-pod-exceeds-tunnel", "mtu-path-smaller"],
    explain: Explain {
        how: "With --with-traffic: each packet on its way into the tunnel, against the MTU of the tunnel and of what is below it \
              less the headers; by the pod that sent it. And packets that the kernel \
              drops for PKT_TOO_BIG on their way there, ten and more: the first few are how a sender learns the MTU.",
        why: "The tunnel's MTU is larger than what the device below takes, or a program or the node itself sends without asking for \
              the MTU. Each of these packets leaves as two fragments, or is dropped.",
        fix: "Make the tunnel's MTU fit what is below it, and the pods' MTU fit the tunnel.",
        not_if: "",
        seen_in: "flannel#1781, flannel#1011",
    },
    run,
};

/// Pods that are named.
const NAMED: usize = 3;

fn run(model: &Model) -> Outcome {
    if model.tunnels.is_empty() {
        return Outcome::DoesNotApply("no tunnel whose packets are counted");
    }
    let sending = model.tunnels.iter().filter(|row| row.flow.tx.total.oversize > 0);
    let mut findings: Vec<Finding> = sending.map(|row| finding(model, row)).collect();
    // Where the kernel does not say why it drops, what is dropped on the way to the tunnel is not seen.
    let dropped = drops::of(model, &["PKT_TOO_BIG"], |row| row.is_more_than_noise() && !row.is_outer());
    findings.extend(dropped.into_iter().flatten().map(|row| turned_back(model, row)));
    Outcome::Judged(findings)
}

/// What does not even enter the tunnel: the node drops it and tells the sender, who goes on.
fn turned_back(model: &Model, row: &DropRow) -> Finding {
    let name = escape(row.device.name());
    let to = row.last.destination.map_or_else(|| "the other end".to_owned(), |address| address.to_string());
    let finding = Finding::new(
        Warn,
        SubjectKind::Pod,
        row.device.name(),
        format!("{name} goes on sending packets that are too big for the way to {to}: they are dropped."),
    );
    oversize::dropped(drops::seen(finding, &[row]), model).fix(
        "Set the MTU of the sender's interface to what the tunnel carries (`overlay-probe show mtu`) and recreate the pod, which \
         restarts it; and let ICMP \"fragmentation needed\" and \"packet too big\" reach it.",
    )
}

fn finding(model: &Model, row: &TunnelRow) -> Finding {
    let name = escape(&row.tunnel.name);
    let sent = &row.flow.tx;
    let fits = row.room.budget;
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Interface,
        &row.tunnel.name,
        format!(
            "{name} is given packets that are too big: what leaves below it in one piece is {fits} bytes."
        ),
    )
    .on(row.tunnel.ifindex)
    .seen(
        format!("{name}, too big"),
        counted_per_second(sent.total.oversize, sent.rate.map(|rate| rate.oversize_per_s)),
        "packets on transmit (eBPF)",
    );
    for pod in senders(model).into_iter().take(NAMED) {
        let sent = &pod.flow.tx;
        finding = finding.seen(
            oversize::sender(pod),
            counted_per_second(sent.total.oversize, sent.rate.map(|rate| rate.oversize_per_s)),
            "packets on transmit (eBPF)",
        );
    }
    let otherwise = format!(
        "Have the senders keep to {fits} bytes: set the MTU of their interfaces to that, and recreate the pods."
    );
    lowered_or(model, oversize::announced(finding, model), row.tunnel.ifindex, otherwise)
}

/// Pods that send such packets, those that send most first; the node itself and what is no pod are one of them.
fn senders(model: &Model) -> Vec<&PodRow> {
    let sends = |row: &&PodRow| row.flow.tx.total.oversize > 0 && row.gone == 0;
    let mut senders: Vec<&PodRow> = model.pods.iter().filter(sends).collect();
    senders.sort_by_key(|row| std::cmp::Reverse(row.flow.tx.total.oversize));
    senders
}
