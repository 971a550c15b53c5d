//! Which rows a tab shows, and in which order.

use std::cmp::Ordering;

use super::{
    cells::{self, SortValue},
    state::{Sort, State},
    subject::{self, RowKey, Subject},
};
use crate::{
    model::Model,
    tui::{measure::Measure, tab::Tab},
};

/// The tables of the overview, from the top down: those of VFs where there are some, those of tunnels unless VFs are all
/// there is.
pub(super) fn overview_tables(model: &Model) -> Vec<Tab> {
    let mut tables = Vec::new();
    if !model.tunnels.is_empty() || model.vfs.is_empty() {
        tables.extend([Tab::Tunnels, Tab::Peers, Tab::Pods]);
    }
    if !model.vfs.is_empty() {
        tables.push(Tab::Vfs);
    }
    tables
}

/// The tab in whose words figures are told: an overview of VFs alone has no tunnel, and so nothing outer or inner.
pub(super) fn tab_of_figures(state: &State) -> Tab {
    let has_vfs_alone = |model| !overview_tables(model).contains(&Tab::Tunnels);
    if state.tab == Tab::Overview && state.shown().is_some_and(has_vfs_alone) { Tab::Vfs } else { state.tab }
}

/// The rows of a tab's table, filtered and sorted; on the overview those of all its tables. Empty for tabs without a
/// table.
pub(super) fn rows<'a>(state: &State, model: &'a Model, tab: Tab) -> Vec<Subject<'a>> {
    match tab {
        Tab::Overview => {
            overview_tables(model).into_iter().flat_map(|tab| overview_rows(state, model, tab)).collect()
        }
        Tab::Tunnels
        | Tab::Peers
        | Tab::Pods
        | Tab::Vfs
        | Tab::Mtu
        | Tab::Health
        | Tab::Events
        | Tab::Cost => ordered(state, tab, subject::of(model, tab)),
    }
}

/// The rows of one of the overview's tables, filtered and sorted.
pub(super) fn overview_rows<'a>(state: &State, model: &'a Model, tab: Tab) -> Vec<Subject<'a>> {
    ordered(state, tab, subject::of(model, tab))
}

/// How many things that are there a tab's table has.
pub(super) fn count(state: &State, model: &Model, tab: Tab) -> usize {
    filtered(state, subject::of(model, tab)).filter(|subject| subject.is_there()).count()
}

/// Why a table has no rows.
pub(super) fn why_none(model: &Model, tab: Tab) -> &'static str {
    if subject::of(model, tab).next().is_some() {
        return "no row matches the filter";
    }
    match tab {
        Tab::Tunnels => "none: this node has no VXLAN or WireGuard device",
        Tab::Peers => "none: no tunnel of this node has a peer",
        Tab::Pods => "none: no pod of this node is known",
        Tab::Vfs => "none: no NIC of this node has virtual functions",
        Tab::Overview | Tab::Mtu | Tab::Health | Tab::Events | Tab::Cost => "none",
    }
}

fn filtered<'a>(state: &State, all: impl Iterator<Item = Subject<'a>>) -> impl Iterator<Item = Subject<'a>> {
    all.filter(|subject| state.filter.matches(|| subject.words(), |key| cells::field(key, *subject)))
}

fn ordered<'a>(state: &State, tab: Tab, all: impl Iterator<Item = Subject<'a>>) -> Vec<Subject<'a>> {
    let sort = state.look(tab).sort;
    let mut rows: Vec<_> = filtered(state, all)
        .map(|subject| (sort_value(sort, state.measure, subject), subject.sort_name(), subject))
        .collect();
    rows.sort_by(|(a, a_name, a_row), (b, b_name, b_row)| {
        // "Other" is not one of them: last, whatever the order.
        let by_value = if sort.descending { b.compare(a) } else { a.compare(b) };
        let last = |row: &Subject<'_>| (row.is_other(), row.gone() > 0);
        last(a_row).cmp(&last(b_row)).then(by_value).then_with(|| a_name.cmp(b_name))
    });
    rows.into_iter().map(|(_, _, subject)| subject).collect()
}

/// Rates within a fifth of each other count as equal, so that rows of about the same rate keep their places.
fn sort_value(sort: Sort, measure: Measure, subject: Subject<'_>) -> SortValue {
    match cells::sort_value(sort.column, subject, measure) {
        SortValue::Rate(Some(rate)) => SortValue::Rate(Some((rate.max(1.0).log2() * 4.0).floor())),
        value @ (SortValue::Text(_) | SortValue::Rate(None) | SortValue::Number(_)) => value,
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
