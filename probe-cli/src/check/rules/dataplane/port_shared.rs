//! Two VXLAN devices want one UDP port in ways that exclude each other.

use super::super::prelude::*;
use crate::model::{Tunnel, TunnelKind};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-port-shared",
    family: Family::Dataplane,
    title: "two VXLAN devices share a UDP port, and one cannot work",
    symptom: "The CNI's agent logs \"address already in use\" or \"file exists\"; its device stays down.",
    core: false,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "VXLAN devices of one port, of which one is down, or takes every VNI (collect-metadata).",
        why: "Two CNIs, a stale device of another one, or a fan bridge of Ubuntu; the kernel lets VXLAN devices share a port only if none or all of them take every VNI (collect-metadata), and their VNIs differ.",
        fix: "Delete the device that nothing uses, or give one system another port.",
        not_if: "Both are up and have different VNIs: they share the port's socket.",
        seen_in: "cilium#8990, cilium#38581, tke#1279",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let vxlans: Vec<&Tunnel> =
        model.inventory.tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Vxlan).collect();
    if vxlans.len() < 2 {
        return Outcome::DoesNotApply("fewer than two VXLAN devices are here");
    }
    let excluded = |one: &Tunnel, other: &Tunnel| {
        one.ifindex != other.ifindex
            && one.port == other.port
            && !one.up
            && other.up
            && (one.external || other.external || one.vni == other.vni)
            // A socket of each family: flannel's two devices share the port and not a socket.
            && (one.outer_family.is_none() || other.outer_family.is_none() || one.outer_family == other.outer_family)
    };
    let mut findings = Vec::new();
    for one in &vxlans {
        let Some(other) = vxlans.iter().find(|other| excluded(one, other)) else { continue };
        let (name, by) = (escape(&one.name), escape(&other.name));
        let port = one.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
        // A device of before that is down beside the CNI's own is no conflict.
        if model.inventory.is_stale(one.ifindex) {
            continue;
        }
        let finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            &one.name,
            format!("{name} is down, and {by} has its UDP port {port}."),
        )
        .on(one.ifindex)
        .seen(name, format!("down, port {port}"), "ip -d link")
        .seen(by.clone(), format!("up, port {port}"), "ip -d link");
        findings.push(if model.inventory.is_stale(other.ifindex) {
            finding
                .fix(format!("{by} is stale: delete it and restart the CNI's agent."))
                .run(format!("ip link delete {}", quoted(&other.name)))
        } else {
            finding.fix(format!(
                "Decide which of the two is needed; remove the other one with the system that made it, or give one \
                 system another port. Nothing may use {by} when it is removed."
            ))
        });
    }
    Outcome::Judged(findings)
}
