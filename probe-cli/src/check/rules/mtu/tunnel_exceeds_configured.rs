//! Outer packets are larger than the size that files give for the network below.

use super::{super::prelude::*, lowered, paths};
use crate::model::Encapsulation;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-tunnel-exceeds-configured",
    family: Family::Mtu,
    title: "a tunnel's packets are larger than the configured MTU of the network below",
    symptom: "Large transfers between nodes are slow or hang, IPv6 above all, although an MTU was configured.",
    core: false,
    needs: &[Need::Files, Need::Routes],
    explained_by: &["mtu-tunnel-exceeds-underlay"],
    explain: Explain {
        how: "flannel's Backend.MTU against the MTU of each tunnel and its headers: VXLAN adds 50 bytes over IPv4 and 70 over IPv6.",
        why: "flannel subtracts 50 for both families, so that packets over IPv6 are 20 bytes larger than asked for; the kernel \
              corrects that for the NIC's own MTU only. Or the agent was not restarted after the value was changed.",
        fix: "Lower Backend.MTU by 20 where the tunnel is one over IPv6, then delete the tunnel device and restart the agent, which keeps \
              the MTU of a device that exists. Pods reach no other node meanwhile.",
        not_if: "The network carries the larger packets all the same.",
        seen_in: "flannel#1781",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let wanted = model.setup.intent.as_ref().and_then(|intent| intent.underlay_mtu.as_ref());
    let Some(wanted) = wanted else {
        return Outcome::DoesNotApply("no file has an MTU for the network below");
    };
    let place = wanted.file.as_deref().map_or_else(String::new, escape);
    let place = wanted.line.map_or_else(|| place.clone(), |line| format!("{place}:{line}"));
    let tunnels = paths(model).filter(|path| path.encapsulation != Encapsulation::None);
    let too_large = tunnels.filter(|path| path.mtu + path.overhead > wanted.value);
    Outcome::Judged(
        too_large
            .map(|path| {
                let name = escape(&path.device);
                let outer = path.mtu + path.overhead;
                let finding = Finding::new(
                    Warn,
                    SubjectKind::Interface,
                    &path.device,
                    format!(
                        "{name} sends outer packets of up to {outer} bytes; {} are configured.",
                        wanted.value
                    ),
                )
                .on(path.ifindex)
                .seen(name, path.mtu, "IFLA_MTU")
                .seen("outer headers", path.overhead, path.encapsulation.to_string())
                .seen("MTU below the tunnel", wanted.value, place.clone());
                lowered(model, finding, path, wanted.value.saturating_sub(path.overhead))
            })
            .collect(),
    )
}
