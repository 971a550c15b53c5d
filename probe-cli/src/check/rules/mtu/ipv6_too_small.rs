//! IPv6 needs 1280 bytes, and a path carries less.

use super::{
    super::{agent, prelude::*},
    IPV6_LEAST, paths,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-ipv6-too-small",
    family: Family::Mtu,
    title: "a path for IPv6 carries less than 1280 bytes",
    symptom: "IPv6 does not work at all between nodes, while IPv4 does.",
    core: false,
    needs: &[Need::Routes],
    explained_by: &["mtu-tunnel-exceeds-underlay"],
    explain: Explain {
        how: "What each tunnel carries in one piece, where it carries IPv6.",
        why: "IPv6 requires 1280 bytes of each link; the kernel turns IPv6 off on a device with less.",
        fix: "Raise the MTU of the device below, or leave IPv6 out.",
        not_if: "",
        seen_in: "cilium#45423",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let for_ipv6: Vec<_> = paths(model).filter(|path| path.families.contains(&6)).collect();
    if for_ipv6.is_empty() {
        return Outcome::DoesNotApply("nothing carries IPv6");
    }
    let too_small = for_ipv6.into_iter().filter(|path| path.usable < IPV6_LEAST);
    Outcome::Judged(
        too_small
            .map(|path| {
                let name = escape(&path.device);
                let finding = Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    &path.device,
                    format!("{name} carries {} bytes; IPv6 requires {IPV6_LEAST}.", path.usable),
                )
                .on(path.ifindex)
                .seen(name.clone(), path.usable, "IFLA_MTU and what is below");
                match path.max_inner.filter(|fits| *fits >= IPV6_LEAST) {
                    Some(fits) => agent::restarted(model, finding
                        .seen(format!("room below {name}"), fits, "IFLA_MTU of the devices below, less headers")
                        .fix(format!(
                            "Raise {name}'s own MTU, then restart the CNI's agent on this node: the kernel has taken IPv6 off \
                             the device, with its addresses and routes (pods keep running)."
                        ))
                        .run(format!("ip link set {} mtu {fits}", quoted(&path.device)))),
                    None => finding.fix(format!(
                        "Raise the MTU below the tunnel to at least {} and restart the CNI's agent.",
                        IPV6_LEAST + path.overhead
                    )),
                }
            })
            .collect(),
    )
}
