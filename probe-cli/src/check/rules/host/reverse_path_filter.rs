//! The reverse path filter drops packets.

use std::collections::BTreeSet;

use super::{
    super::{prelude::*, window::over},
    interface_sysctl,
};
use crate::model::Tunnel;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-reverse-path-filter",
    family: Family::Host,
    title: "the reverse path filter drops packets",
    symptom: "Some connections between nodes, or to services, time out.",
    core: false,
    needs: &[Need::Window],
    explained_by: &[],
    explain: Explain {
        how: "TcpExt:IPReversePathFilter grows during the window. The value of rp_filter alone is no fault: strict filtering works \
              where packets go and come by one device.",
        why: "rp_filter is 1 (strict) for a device by which packets come in from sources that are routed by another one.",
        fix: "Set rp_filter to 2 (loose) or 0 for the device; the larger one of `all` and the device's own counts.",
        not_if: "Somebody sends packets with forged sources: the filter then does its work.",
        seen_in: "flannel#2388",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(dropped) = model.window.as_ref().and_then(|window| window.reverse_path_filtered) else {
        return Outcome::NotJudged("the counter TcpExt:IPReversePathFilter was not read".to_owned());
    };
    if dropped == 0 {
        return Outcome::Judged(Vec::new());
    }
    let all = model.snapshot.network.sysctls.ipv4_all.rp_filter.value().copied().unwrap_or_default();
    // Calico filters strictly on pods' interfaces, against forged sources: those stay as they are.
    let below = model.inventory.all_tunnels().flat_map(Tunnel::underlays).map(|below| below.ifindex);
    let between: BTreeSet<u32> =
        model.inventory.all_tunnels().map(|tunnel| tunnel.ifindex).chain(below).collect();
    let links = model.snapshot.netlink.links.iter().filter(|link| between.contains(&link.ifindex));
    let strict: Vec<&str> = links
        .filter(|link| link.ipv4_conf.as_ref().is_some_and(|conf| conf.rp_filter.max(all) == 1))
        .map(|link| link.name.as_str())
        .collect();
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Setting,
        "rp_filter",
        format!("The reverse path filter dropped {dropped} packets {}.", over(model)),
    )
    .seen("TcpExt:IPReversePathFilter", format!("+{dropped}"), "/proc/net/netstat")
    .seen("net.ipv4.conf.all.rp_filter", all, "/proc/sys")
    .seen("strict tunnels and NICs", strict.len(), "rp_filter = 1");
    finding = finding.fix(if strict.is_empty() {
        "Find the device that these packets come in by (nstat -az TcpExtIPReversePathFilter, tcpdump) and the route back to their \
         sources: pods' interfaces filter forged sources on purpose."
    } else {
        "Set loose filtering for the devices between nodes, and write it into a file of /etc/sysctl.d so that it lasts; the larger one of \
         `all` and the device's own counts."
    });
    for name in strict.iter().take(3) {
        finding = finding.run(interface_sysctl(4, name, "rp_filter=2"));
    }
    Outcome::Judged(vec![finding])
}
