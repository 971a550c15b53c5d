//! Packets that the kernel dropped, for the checks about them: which are meant, and how they are shown.

use super::prelude::*;
use crate::model::{DropDevice, DropRow};

/// Where it is read, for evidence.
const SOURCE: &str = "skb_drop_reason";
/// Rows that are shown.
const SHOWN: usize = 2;

/// What was dropped for one of these reasons and is meant. Else what the check comes to without them: a kernel that has none of the
/// reasons drops such packets all the same and does not say so.
pub(super) fn of<'m>(
    model: &'m Model,
    reasons: &[&str],
    is_meant: impl Fn(&DropRow) -> bool,
) -> Result<Vec<&'m DropRow>, Outcome> {
    let Some(drops) = model.drops.value() else {
        return Err(Outcome::DoesNotApply("no tunnel whose packets are watched"));
    };
    if !reasons.iter().any(|reason| drops.knows(reason)) {
        let wanted = reasons.join(" or ");
        // Those of VXLAN came with 4c06d9daf8e6 ("net: vxlan: add skb drop reasons to vxlan_rcv()") and the commits after it.
        return Err(Outcome::NotJudged(format!(
            "this kernel has no drop reason {wanted} (Linux 6.13 and 6.12.46 have)"
        )));
    }
    let is_of = |row: &&DropRow| row.packets > 0 && reasons.contains(&row.reason.as_str()) && is_meant(row);
    Ok(drops.rows.iter().filter(is_of).collect())
}

/// A finding for each row of [`of`].
pub(super) fn judged(
    model: &Model,
    reasons: &[&str],
    is_meant: impl Fn(&DropRow) -> bool,
    finding: impl Fn(&DropRow) -> Finding,
) -> Outcome {
    match of(model, reasons, is_meant) {
        Ok(rows) => Outcome::Judged(rows.into_iter().map(finding).collect()),
        Err(outcome) => outcome,
    }
}

/// True for what was dropped on a tunnel device.
pub(super) fn is_on_tunnel(row: &DropRow) -> bool {
    matches!(row.device, DropDevice::Tunnel(_))
}

/// Packets of these rows.
pub(super) fn packets(rows: &[&DropRow]) -> u64 {
    rows.iter().map(|row| row.packets).sum()
}

/// With how many there were and one of them.
pub(super) fn seen(mut finding: Finding, rows: &[&DropRow]) -> Finding {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
    for row in rows.iter().take(SHOWN) {
        finding = finding.seen(
            format!("{}, {}", escape(row.device.name()), escape(&row.reason)),
            format!("{} dropped", row.packets),
            SOURCE,
        );
        if let Some(ends) = ends(row) {
            finding = finding.seen("one of them", ends, SOURCE);
        }
    }
    finding
}

/// `10.42.0.9 > 10.42.1.9`; none where it was no IP packet.
fn ends(row: &DropRow) -> Option<String> {
    Some(format!("{} > {}", row.last.source?, row.last.destination?))
}

/// Who sent such a packet: a node by its name, else the address; what the packet does not say is "another node".
pub(super) fn sender(model: &Model, row: &DropRow) -> String {
    let Some(source) = row.last.source else { return "another node".to_owned() };
    match model.inventory.node_names.get(&source) {
        Some(name) => format!("{} ({source})", escape(name)),
        None => source.to_string(),
    }
}
