//! Which rows a tab shows, and in which order.

use std::cmp::Ordering;

use super::{
    columns::{self, SortValue},
    state::{Measure, Sort, State, Tab},
    subject::{self, RowKey, Subject},
};
use crate::model::Model;

/// The rows of a tab's table, filtered and sorted; on the overview tunnels, then peers, then pods. Empty for tabs
/// without a table.
pub(super) fn rows<'a>(state: &State, model: &'a Model, tab: Tab) -> Vec<Subject<'a>> {
    match tab {
        Tab::Overview => [Tab::Tunnels, Tab::Peers, Tab::Pods]
            .into_iter()
            .flat_map(|tab| rows(state, model, tab))
            .collect(),
        Tab::Tunnels => ordered(state, tab, subject::tunnels(model)),
        Tab::Peers => ordered(state, tab, subject::peers(model)),
        Tab::Pods => ordered(state, tab, subject::pods(model)),
        Tab::Messages | Tab::Cost => Vec::new(),
    }
}

/// How many rows a tab's table has, "other" not among them.
pub(super) fn count(state: &State, model: &Model, tab: Tab) -> usize {
    let named = |all: &mut dyn Iterator<Item = Subject<'_>>| {
        filtered(state, all).filter(|subject| !subject.is_other()).count()
    };
    match tab {
        Tab::Tunnels => named(&mut subject::tunnels(model)),
        Tab::Peers => named(&mut subject::peers(model)),
        Tab::Pods => named(&mut subject::pods(model)),
        Tab::Overview | Tab::Messages | Tab::Cost => 0,
    }
}

fn filtered<'a>(state: &State, all: impl Iterator<Item = Subject<'a>>) -> impl Iterator<Item = Subject<'a>> {
    let wanted = state.filter.to_lowercase();
    all.filter(move |subject| wanted.is_empty() || subject.words().to_lowercase().contains(&wanted))
}

fn ordered<'a>(state: &State, tab: Tab, all: impl Iterator<Item = Subject<'a>>) -> Vec<Subject<'a>> {
    let mut rows: Vec<_> = filtered(state, all)
        .map(|subject| (sort_value(state.look(tab).sort, state.measure, subject), subject.name(), subject))
        .collect();
    let sort = state.look(tab).sort;
    rows.sort_by(|(a, a_name, a_row), (b, b_name, b_row)| {
        // "Other" is not one of them: last, whatever the order.
        let by_value = if sort.descending { b.compare(a) } else { a.compare(b) };
        a_row.is_other().cmp(&b_row.is_other()).then(by_value).then_with(|| a_name.cmp(b_name))
    });
    rows.into_iter().map(|(_, _, subject)| subject).collect()
}

/// Rates within a fifth of each other count as equal, so that rows of about the same rate keep their places.
fn sort_value(sort: Sort, measure: Measure, subject: Subject<'_>) -> SortValue {
    match columns::sort_value(sort.column, subject, measure) {
        SortValue::Rate(Some(rate)) => SortValue::Rate(Some((rate.max(1.0).log2() * 4.0).floor())),
        value => value,
    }
}

impl SortValue {
    /// Unknown is below everything.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Rate(a) | Self::Number(a), Self::Rate(b) | Self::Number(b)) => match (a, b) {
                (Some(a), Some(b)) => a.total_cmp(b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
            (Self::Text(_), _) => Ordering::Less,
            (_, Self::Text(_)) => Ordering::Greater,
        }
    }
}

/// Where a row is in `rows`.
pub(super) fn position(rows: &[Subject<'_>], key: Option<&RowKey>) -> Option<usize> {
    let key = key?;
    rows.iter().position(|row| row.key() == *key)
}
