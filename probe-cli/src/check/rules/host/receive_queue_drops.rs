//! A CPU's receive queue overflows.

use super::super::{prelude::*, window::over};
use crate::model::{CoreRow, Tunnel, TunnelRow, busiest_first};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-receive-queue-drops",
    family: Family::Host,
    title: "a CPU drops received packets",
    symptom: "Throughput between nodes stops at what one core can do; retransmissions grow.",
    core: false,
    needs: &[Need::Window],
    explained_by: &[],
    explain: Explain {
        how: "`dropped` of /proc/net/softnet_stat by CPU during the window. With --with-traffic the evidence has the CPUs that received \
              each tunnel's packets.",
        why: "A tunnel's packets between two nodes look like one flow to a NIC that hashes addresses only: one queue and one core \
              take them all.",
        fix: "Hash UDP ports on the NIC (ethtool -N NIC rx-flow-hash udp4 sdfn), use RPS, raise netdev_max_backlog. Hashing ports does not help \
              WireGuard, whose packets between two nodes are one flow. None of it outlasts a reboot.",
        not_if: "One CPU with nearly all of a tunnel's packets is no fault by itself: the packets of one flow are always one CPU's.",
        seen_in: "liqo#3079, cilium#13947",
    },
    run,
};

/// Tunnels and CPUs that are named.
const NAMED: usize = 3;

fn run(model: &Model) -> Outcome {
    let Some(window) = &model.window else {
        return Outcome::NotJudged("counters were read once only".to_owned());
    };
    if window.softnet.is_empty() {
        return Outcome::NotJudged("/proc/net/softnet_stat was not read".to_owned());
    }
    let dropping: Vec<_> = window.softnet.iter().filter(|cpu| cpu.dropped > 0).collect();
    let total: u64 = dropping.iter().map(|cpu| cpu.dropped).sum();
    if total == 0 {
        return Outcome::Judged(Vec::new());
    }
    let mut finding = Finding::new(
        Warn,
        SubjectKind::Node,
        "receive queues",
        format!("{total} received packets were dropped {}: a CPU's queue was full.", over(model)),
    );
    for cpu in dropping.iter().take(4) {
        finding = finding.seen(
            format!("CPU {}", cpu.cpu),
            format!("{} dropped of {}", cpu.dropped, cpu.processed + cpu.dropped),
            "/proc/net/softnet_stat",
        );
    }
    finding = with_tunnels(finding, model);
    let below = model.inventory.all_tunnels().flat_map(Tunnel::underlays).next();
    finding = finding
        .fix("Let the NIC spread the tunnel's packets by their UDP ports (WireGuard's are one flow), and raise the queue's length. Neither \
              outlasts a reboot.");
    // The ports of a bond or a bridge are the NICs.
    let is_nic =
        |name: &str| model.snapshot.netlink.links.iter().any(|link| link.name == name && link.kind.is_none());
    if let Some(below) = below.filter(|below| is_nic(&below.name)) {
        for family in ["udp4", "udp6"] {
            finding = finding.run(format!("ethtool -N {} rx-flow-hash {family} sdfn", quoted(&below.name)));
        }
    }
    let length = model.snapshot.network.sysctls.netdev_max_backlog.value().copied().unwrap_or_default();
    let longer = length.saturating_mul(2).max(10_000);
    Outcome::Judged(vec![finding.run(format!("sysctl -w net.core.netdev_max_backlog={longer}"))])
}

/// With the CPUs that received the packets of the tunnels that had most, where packets were counted.
fn with_tunnels(mut finding: Finding, model: &Model) -> Finding {
    let received = |row: &&TunnelRow| row.cores.rx.iter().filter_map(|core| core.grown).sum::<u64>();
    let mut tunnels: Vec<&TunnelRow> = model.tunnels.iter().filter(|row| received(row) > 0).collect();
    tunnels.sort_by_key(|row| std::cmp::Reverse(received(row)));
    for row in tunnels.into_iter().take(NAMED) {
        let word =
            |core: &CoreRow| Some(format!("{} on CPU {}", crate::text::percent(core.share?), core.cpu));
        let cores: Vec<String> =
            busiest_first(&row.cores.rx).into_iter().take(NAMED).filter_map(word).collect();
        finding = finding.seen(
            format!("{} received", escape(&row.tunnel.name)),
            format!("{} of {} packets", cores.join(", "), received(&row)),
            "packets by CPU (eBPF)",
        );
    }
    finding
}
