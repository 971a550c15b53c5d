//! The connection tracking table is full, or nearly.

use super::super::{prelude::*, window::over};

/// Share of the table in percent from which on a burst may fill it.
const NEARLY: u64 = 90;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-conntrack-full",
    family: Family::Host,
    title: "the connection tracking table is full",
    symptom: "New connections fail at random, old ones go on; the kernel logs \"nf_conntrack: table full, dropping packet\".",
    core: false,
    needs: &[Need::Window],
    explained_by: &[],
    explain: Explain {
        how: "nf_conntrack_count is 90 % of nf_conntrack_max or more; it is a failure when the table is full, or `drop` of \
              /proc/net/stat/nf_conntrack grows during the window.",
        why: "More connections than the table has room for: a load test, a scan, or UDP traffic with many ports.",
        fix: "Raise nf_conntrack_max (kube-proxy: conntrack.maxPerCore), and find who opens so many connections.",
        not_if: "",
        seen_in: "kubernetes#18604",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let sizes = model.window.as_ref().and_then(|window| window.conntrack_count.zip(window.conntrack_max));
    let Some((count, max)) = sizes else { return Outcome::DoesNotApply("nf_conntrack is not loaded") };
    let dropped = model.window.as_ref().and_then(|window| window.conntrack_dropped).unwrap_or_default();
    // Without a limit the table is as large as memory allows.
    let percent = count.saturating_mul(100).checked_div(max).unwrap_or_default();
    // Packets that lose a race for their entry are counted as dropped as well, however empty the table is.
    if percent < NEARLY {
        return Outcome::Judged(Vec::new());
    }
    let severity = if dropped > 0 || count >= max { Fail } else { Warn };
    Outcome::Judged(vec![
        Finding::new(
            severity,
            SubjectKind::Setting,
            "net.netfilter.nf_conntrack_max",
            format!("{count} of {max} connections are tracked ({percent} %): new ones are dropped when the table is full."),
        )
        .seen("nf_conntrack_count", count, "/proc/sys/net/netfilter")
        .seen("nf_conntrack_max", max, "/proc/sys/net/netfilter")
        .seen("dropped", format!("{dropped} {}", over(model)), "/proc/net/stat/nf_conntrack")
        .fix(
            "Raise the limit; for good, `kube-proxy-arg: conntrack-max-per-core=N` in config.yaml: kube-proxy sets its own when it \
             restarts.",
        )
        .run(format!("sysctl -w net.netfilter.nf_conntrack_max={}", max.saturating_mul(2))),
    ])
}
