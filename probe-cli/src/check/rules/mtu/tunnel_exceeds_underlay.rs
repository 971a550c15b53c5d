//! Outer packets are larger than what the device below takes.

use super::{super::prelude::*, lowered, oversize, paths};
use crate::model::{Encapsulation, Fault, MtuPath};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-tunnel-exceeds-underlay",
    family: Family::Mtu,
    title: "a tunnel's packets do not fit the device below it",
    symptom: "Large transfers between nodes are slow or hang; ping with small packets works.",
    core: true,
    needs: &[Need::Routes],
    explained_by: &[],
    explain: Explain {
        how: "IFLA_MTU of the tunnel plus its headers (VXLAN 50 over IPv4 and 70 over IPv6, WireGuard 60 and 80) against \
              IFLA_MTU of the device below and the MTU of routes to other nodes.",
        why: "The NIC's MTU was lowered after the tunnel was made, or an MTU is configured that forgets the headers. The kernel \
              then sends each full-size packet as two fragments, which many networks drop; VXLAN and Geneve over IPv6 it drops itself.",
        fix: "Give the NIC its MTU back, or lower the tunnel's (`ip link set flannel.1 mtu N`) and recreate the pods. flannel keeps \
              the MTU of a VXLAN device that exists when it is restarted.",
        not_if: "",
        seen_in: "flannel#1781, flannel#1567, flannel#1011",
    },
    run,
};

/// What becomes of them. Over IPv6 the kernel cuts a packet only if who sends it says so (`ignore_df` in `ip6_fragment`,
/// net/ipv6/ip6_output.c): WireGuard does (`send6`, drivers/net/wireguard/socket.c), VXLAN and Geneve do not.
fn fate(path: &MtuPath) -> &'static str {
    match (path.outer_family, path.encapsulation) {
        (Some(6), Encapsulation::Vxlan | Encapsulation::Geneve) => "the kernel drops them",
        _ => "they leave as fragments",
    }
}

fn run(model: &Model) -> Outcome {
    if !paths(model).any(|path| path.fit.is_some()) {
        return Outcome::DoesNotApply("no tunnel with a known device below it");
    }
    let mut findings = Vec::new();
    for fault in &model.faults {
        let Fault::TooBig { tunnel, over } = fault else { continue };
        let Some(path) = paths(model).find(|path| path.ifindex == *tunnel) else { continue };
        let name = escape(&path.device);
        let takes = path.max_inner.unwrap_or_default();
        let mut finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            &path.device,
            format!(
                "{name} sends packets that are {over} bytes too large for what is below it: {}.",
                fate(path)
            ),
        )
        .on(*tunnel)
        .seen(name, path.mtu, "IFLA_MTU");
        for below in &path.underlays {
            finding = finding.seen(escape(&below.name), below.mtu, "IFLA_MTU");
        }
        if let Some(route) = path.underlay_route_mtu {
            finding = finding.seen("route to other nodes", route, "RTAX_MTU");
        }
        let finding = finding.seen("outer headers", path.overhead, path.encapsulation.to_string());
        findings.push(lowered(model, oversize::fragments(finding, model), path, takes));
    }
    Outcome::Judged(findings)
}
