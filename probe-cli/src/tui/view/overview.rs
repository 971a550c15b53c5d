//! Everything at a glance: the graph, the newest trouble, and the first rows of every table.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    graph::{self, Graph},
    messages, paint,
    table::{self, Table},
    theme::Theme,
};
use crate::{
    model::Model,
    tui::{
        list::{position, rows},
        state::{State, Tab},
        subject::Subject,
    },
};

/// Draws it.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) {
    let tables = [Tab::Tunnels, Tab::Peers, Tab::Pods].map(|tab| (tab, rows(state, model, tab)));
    let selected = state.look(Tab::Overview).selected.as_ref();
    let chosen = tables.iter().find_map(|(_, rows)| rows.get(position(rows, selected)?)).copied();
    let (top, rest) = paint::split_top(area, (area.height * 2 / 5).clamp(6, 18));
    let title = chosen.map_or_else(|| "all tunnels".to_owned(), Subject::name);
    let values = state.shown_history().values(chosen.map(Subject::key).as_ref(), state.measure);
    let step = model.interval.map(|interval| interval.as_secs_f64());
    graph::draw(buf, top, &Graph { title: &title, values: &values, measure: state.measure, step }, theme);
    let mut rest = rest;
    if let Some(words) = messages::newest(state, model) {
        let (line, below) = paint::split_top(rest, 1);
        paint::words(buf, line, &format!(" ! {words}"), theme.alarm());
        rest = below;
    }
    let needs = tables.each_ref().map(|(_, rows)| u16::try_from(rows.len().max(1) + 2).unwrap_or(u16::MAX));
    for ((tab, rows), height) in tables.iter().zip(share(needs, rest.height)) {
        let (area, below) = paint::split_top(rest, height);
        rest = below;
        let table = Table { tab: *tab, rows, selected: selected.cloned() };
        // A blank line parts it from the next one; where rows are left out, the line that says so does.
        let whole = rows.len() + 2 <= usize::from(height);
        let (area, _) = paint::split_top(area, if whole { height - 1 } else { height });
        table::draw(buf, area, &table, state, theme);
    }
}

/// Divides rows among tables that need so many: who needs less than an equal share leaves the rest to the others.
fn share(needs: [u16; 3], total: u16) -> [u16; 3] {
    let mut given = [0; 3];
    let mut left = total;
    while left > 0 {
        let mut changed = false;
        for (given, need) in given.iter_mut().zip(needs) {
            if *given < need && left > 0 {
                *given += 1;
                left -= 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharing_gives_everyone_something_and_wastes_nothing() {
        assert_eq!(share([3, 4, 4], 30), [3, 4, 4]);
        assert_eq!(share([3, 1000, 300], 13), [3, 5, 5]);
        assert_eq!(share([3, 4, 300], 20), [3, 4, 13]);
        assert_eq!(share([3, 4, 300], 0), [0, 0, 0]);
    }
}
