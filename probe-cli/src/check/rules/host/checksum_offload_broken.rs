//! A kernel or a NIC that computes checksums of tunnel packets wrongly has to do it.

use super::{super::prelude::*, kernel};
use crate::model::TunnelKind;

/// The feature that VXLAN devices leave checksums to the device below by.
const CHECKSUM: &str = "tx-checksum-ip-generic";
/// Since this kernel the VXLAN device's own checksums are right (ea64d8d6c675, "netfilter: nat: never update the UDP checksum
/// when it's 0").
const FIXED: (u32, u32) = (5, 7);

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-checksum-offload-broken",
    family: Family::Host,
    title: "the kernel computes checksums of VXLAN packets wrongly",
    symptom: "TCP from this node's pods to services on other nodes hangs; ping works.",
    core: false,
    needs: &[Need::Devices, Need::Kernel],
    explained_by: &[],
    explain: Explain {
        how: "Kernels before 5.7 with tx-checksum-ip-generic on for a VXLAN device.",
        why: "Source NAT changes the UDP checksum of outer packets that have none, and receivers drop them.",
        fix: "Turn the offload off, or update the kernel.",
        not_if: "A distribution has the fix in its older kernel: packaged kernels are not judged.",
        seen_in: "k3s#2013, rke2#1541, calico#3145",
    },
    run,
};

/// A release with more behind its three numbers, as packages have it: `4.18.0-240.el8`, `5.4.0-42-generic`.
fn is_packaged(model: &Model) -> bool {
    model.snapshot.host.kernel.value().is_some_and(|release| release.contains('-'))
}

fn run(model: &Model) -> Outcome {
    let Some(version) = kernel(model) else {
        return Outcome::NotJudged("the release of the kernel has no number".to_owned());
    };
    let vxlans =
        model.inventory.tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Vxlan && tunnel.up);
    let vxlans: Vec<_> = vxlans.collect();
    if vxlans.is_empty() {
        return Outcome::DoesNotApply("no VXLAN device is here");
    }
    if version >= FIXED {
        return Outcome::Judged(Vec::new());
    }
    // Distributions keep old numbers and take fixes: their packages' changes tell, and nothing on the node.
    if is_packaged(model) {
        return Outcome::NotJudged(
            "this distribution's kernel may have the fix of Linux 5.7: see its changelog".to_owned(),
        );
    }
    let release = model.inventory.node.kernel.as_deref().map_or_else(|| "unknown".to_owned(), escape);
    let is_on = |ifindex: u32| {
        let device = model.snapshot.network.devices.iter().find(|device| device.device.ifindex == ifindex);
        let features = device.and_then(|device| device.device.features.value());
        features.and_then(|features| features.get(CHECKSUM)).is_some_and(|feature| feature.is_active)
    };
    Outcome::Judged(
        vxlans
            .into_iter()
            .filter(|tunnel| is_on(tunnel.ifindex))
            .map(|tunnel| {
                let name = escape(&tunnel.name);
                Finding::new(
                    Warn,
                    SubjectKind::Interface,
                    &tunnel.name,
                    format!("{name} leaves checksums to the device below, which kernel {release} gets wrong after source NAT."),
                )
                .seen(format!("{name} {CHECKSUM}"), "on", "ethtool -k")
                .seen("kernel", release.clone(), "uname -r; fixed in 5.7")
                .fix("Turn the offload off (throughput falls, nothing is interrupted), or update the kernel.")
                .run(format!("ethtool -K {} {CHECKSUM} off", quoted(&tunnel.name)))
            })
            .collect(),
    )
}
