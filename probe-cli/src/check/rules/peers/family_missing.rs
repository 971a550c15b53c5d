//! One of two tunnels of a dual-stack data plane knows no peer.

use super::super::{agent, prelude::*};
use crate::model::{DataPlane, PlaneDevice, Stale};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-family-missing",
    family: Family::Peers,
    title: "one address family has peers, the other has none",
    symptom: "Pods reach pods of other nodes by one address family only; dual-stack services fail now and then.",
    core: false,
    needs: &[Need::Routes, Need::TunnelTables],
    explained_by: &["dataplane-tunnel-down", "dataplane-tunnel-unconfigured"],
    explain: Explain {
        how: "The devices of one data plane: the one of a family has peers and routes, that of the other has none, although pods \
              of this node have addresses of that family.",
        why: "The agent could not write the entries of that family: kernels before 4.19.1 (and RHEL's 4.18) have faults with \
              VXLAN over IPv6; or other nodes have no address of the family.",
        fix: "Update the kernel, give the nodes addresses of the family, restart the agent.",
        not_if: "",
        seen_in: "calico#6273, calico#6877",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let planes = model.inventory.data_planes.iter().filter(|plane| plane.devices.len() > 1);
    let planes: Vec<&DataPlane> = planes.collect();
    if planes.is_empty() {
        return Outcome::DoesNotApply("no data plane has a tunnel for each address family");
    }
    let outer = |device: &PlaneDevice| {
        let tunnel = model.inventory.tunnel(device.ifindex)?;
        tunnel.outer_family
    };
    let has_pods = |family: u8| {
        let is_family = |address: &std::net::IpAddr| address.is_ipv6() == (family == 6);
        model.inventory.pods.iter().any(|pod| pod.addresses.iter().any(is_family))
            || model.inventory.node.pod_cidrs.iter().any(|own| is_family(&own.cidr.addr()))
    };
    let mut findings = Vec::new();
    for plane in planes {
        for device in &plane.devices {
            let Some(family) = outer(device) else { continue };
            let other = plane.devices.iter().find(|other| {
                outer(other).is_some_and(|of| of != family) && other.peers.is_some_and(|peers| peers > 0)
            });
            let (Some(other), Some(0)) = (other, device.peers) else { continue };
            // A device that another one has taken the place of is to have none.
            let is_replaced = matches!(device.stale, Some(Stale::Idle { .. }));
            if device.routes > 0 || is_replaced || !has_pods(family) {
                continue;
            }
            let name = escape(&device.name);
            let kernel = model.inventory.node.kernel.as_deref().map_or_else(|| "unknown".to_owned(), escape);
            findings.push(agent::restarted(
                model,
                Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    &device.name,
                    format!("{name} has no peer, although pods here have IPv{family} addresses and {} has peers.", escape(&other.name)),
                )
                .on(device.ifindex)
                .seen(name.clone(), "0 peers, 0 routes", "bridge fdb, ip route")
                .seen(escape(&other.name), counted(other.peers.unwrap_or_default(), "peer"), "bridge fdb")
                .seen("kernel", kernel, "uname -r")
                .fix(
                    "Restart the CNI's agent on this node and read its log. Kernels before 4.19.1 need an update for VXLAN \
                     over IPv6.",
                ),
            ));
        }
    }
    Outcome::Judged(findings)
}
