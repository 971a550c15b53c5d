//! What the kernel drops and should not, while that goes on: told, and judged by nobody here. What it is a sign of depends on the
//! packets; the health check looks at these.

use std::cmp::Reverse;

use super::Problem;
use crate::{
    model::{DropRow, Model},
    text::{self, escape, shown},
};

/// Reasons that are told; the rest is a number.
const NOTED: usize = 4;

/// Those with most packets first.
pub(super) fn problems(model: &Model) -> Vec<Problem> {
    let Some(drops) = model.drops.value() else { return Vec::new() };
    let goes_on = |row: &&DropRow| !row.is_usual() && row.is_more_than_noise();
    let mut rows: Vec<&DropRow> = drops.rows.iter().filter(goes_on).collect();
    rows.sort_by_key(|row| Reverse(row.packets));
    let mut problems: Vec<Problem> = rows.iter().take(NOTED).filter_map(|row| problem(row)).collect();
    let more = rows.len().saturating_sub(NOTED);
    if more > 0 {
        let words =
            format!("the kernel drops packets for {more} more reasons: --format jsonl has all of them");
        problems.push(Problem { key: "drops, further".to_owned(), words });
    }
    problems
}

/// What is looked at, where there is no problem; none while it is not known.
pub(super) fn well(model: &Model) -> Option<String> {
    let is_known = model.drops.value()?.rows.iter().all(|row| row.per_s.is_some());
    (is_known && model.interval.is_some())
        .then(|| "no packets dropped by the kernel, but for policy and single ones".to_owned())
}

fn problem(row: &DropRow) -> Option<Problem> {
    let name = shown(row.device.name());
    let what = if row.is_outer() { "tunnel packets/s" } else { "packets/s" };
    let ends = row.last.source.zip(row.last.destination);
    let ends = ends.map_or_else(String::new, |(from, to)| format!(", one of them {from} > {to}"));
    let words = format!(
        "{name}: the kernel drops {} {what} for {}{ends}; `overlay-probe check --with-traffic` looks for the cause",
        text::si(row.per_s?),
        escape(&row.reason),
    );
    Some(Problem { key: format!("drops {} {} {:?}", row.ifindex, row.reason, row.outer), words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::drops::{NOISE, testdata},
        observed::Observed,
    };

    /// What is told of such a node.
    fn told(change: impl Fn(&mut DropRow)) -> (Vec<String>, bool) {
        let mut model = testdata::model();
        if let Observed::Value(drops) = &mut model.drops {
            drops.rows.iter_mut().for_each(change);
        }
        let words = problems(&model).into_iter().map(|problem| problem.words).collect();
        (words, well(&model).is_some())
    }

    #[test]
    fn what_goes_on_and_should_not_is_told_and_single_packets_are_not() {
        let (words, _) = told(|_| ());
        let begins: Vec<&str> = words.iter().filter_map(|words| words.split(" for ").next()).collect();
        assert_eq!(
            begins,
            ["flannel.1: the kernel drops 25 packets/s", "eth0: the kernel drops 12 tunnel packets/s",]
        );
        assert_eq!(told(|row| row.packets = row.packets.min(NOISE - 1)), (Vec::new(), true));
        assert_eq!(told(|row| row.to_group = true), (Vec::new(), true));
        // Not known is not well.
        assert_eq!(told(|row| (row.packets, row.per_s) = (0, None)), (Vec::new(), false));
        let mut many = testdata::model();
        if let Observed::Value(drops) = &mut many.drops {
            drops.rows = (0..9).flat_map(|_| drops.rows.clone()).collect();
        }
        let found = problems(&many);
        assert_eq!(found.len(), NOTED + 1);
        assert!(found[NOTED].words.contains("14 more reasons"), "{}", found[NOTED].words);
    }
}
