//! Everything at a glance: the graph, the newest trouble, and the first rows of every table.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{
    events,
    graph::{self, Graph},
    health, paint,
    table::{self, Table},
    theme::Theme,
};
use crate::{
    model::{CoreRow, Model, busiest, cores_together},
    text,
    tui::{
        history::Whose,
        list::{overview_rows, overview_tables, position},
        rate,
        state::State,
        subject::Subject,
        tab::Tab,
        vf,
    },
};

/// Rows below the graph from which on every table has some of its own; on fewer, VFs get one line when not all fit.
const ROOM_FOR_ALL: u16 = 20;

/// Rows from which on there is a graph, and more than one message.
const ROOM_FOR_GRAPH: u16 = 16;
const ROOM_FOR_MESSAGES: u16 = 30;

/// Draws it.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) {
    let tables: Vec<_> =
        overview_tables(model).into_iter().map(|tab| (tab, overview_rows(state, model, tab))).collect();
    let selected = state.look(Tab::Overview).selected.as_ref();
    let chosen = tables.iter().find_map(|(_, rows)| rows.get(position(rows, selected)?)).copied();
    // Where there is little room, the graph is what can be missed.
    let graph = if area.height < ROOM_FOR_GRAPH { 0 } else { (area.height * 2 / 5).clamp(6, 18) };
    let (top, rest) = paint::split_top(area, graph);
    draw_graph(buf, top, state, model, chosen, theme);
    let mut rest = rest;
    let most = if area.height < ROOM_FOR_MESSAGES { 1 } else { 3 };
    // Findings say what events say of the same faults, and what to do.
    let mut wrong = health::worst(state, most, rest.width.saturating_sub(1), theme);
    if wrong.is_empty() {
        let messages = events::newest(state, model, most, rest.width.saturating_sub(3));
        wrong.extend(
            messages.into_iter().map(|words| vec![Span::styled(format!(" ! {words}"), theme.alarm())]),
        );
    }
    for spans in wrong {
        let (line, below) = paint::split_top(rest, 1);
        paint::spans(buf, line, spans);
        rest = below;
    }
    let mut needs: Vec<u16> =
        tables.iter().map(|(_, rows)| u16::try_from(rows.len().max(1) + 2).unwrap_or(u16::MAX)).collect();
    // VFs are the last; where tunnels, peers and pods need the room, one line has to do.
    let total = needs.iter().fold(0_u16, |total, need| total.saturating_add(*need));
    let crowded = needs.len() > 1 && total > rest.height.saturating_add(1) && rest.height < ROOM_FOR_ALL;
    let has_vfs = !model.vfs.is_empty();
    if crowded && has_vfs {
        needs.pop();
        let (above, line) = paint::split_top(rest, rest.height.saturating_sub(1));
        vfs_line(buf, line, state, model, chosen, theme);
        rest = above;
    }
    for ((tab, rows), height) in tables.iter().zip(share(&needs, rest.height)) {
        let (area, below) = paint::split_top(rest, height);
        rest = below;
        let table = Table { tab: *tab, in_grid: true, rows, selected: selected.cloned() };
        // A blank line parts it from the next one; where rows are left out, the line that says so does.
        let whole = rows.len() + 2 <= usize::from(height);
        let (area, _) = paint::split_top(area, if whole { height - 1 } else { height });
        table::draw(buf, area, &table, state, model, theme);
    }
}

/// The graph of the selected row; without one, of all tunnels, or of all VFs on a node that has nothing else.
fn draw_graph(
    buf: &mut Buffer,
    area: Rect,
    state: &State,
    model: &Model,
    chosen: Option<Subject<'_>>,
    theme: Theme,
) {
    let key = chosen.map(Subject::key);
    let (title, whose) = match (chosen, &key) {
        (Some(subject), Some(key)) => (subject.name(), Whose::Row(key)),
        _ if overview_tables(model).contains(&Tab::Tunnels) => ("all tunnels".to_owned(), Whose::Tunnels),
        _ => (which_vfs(model), Whose::Vfs),
    };
    let values = state.shown_history().values(whose, state.measure);
    let step = model.interval.map(|interval| interval.as_secs_f64());
    let remark = match (chosen, whose) {
        (Some(Subject::Tunnel(row)), _) => core(model, &row.cores.rx),
        (None, Whose::Tunnels) => {
            core(model, &cores_together(model.tunnels.iter().map(|row| &row.cores.rx[..])))
        }
        (Some(Subject::Peer(_) | Subject::Pod(_) | Subject::Vf(_)) | None, _) => None,
    };
    let remark = remark.unwrap_or_default();
    let (measure, ages) = (state.measure, state.shown_history().ages());
    let end = graph::end(state, model);
    let graph =
        Graph { title: &title, values: &values, measure, end: &end, step, ages: &ages, remark: &remark };
    graph::draw(buf, area, &graph, theme);
}

/// Which core takes most of what arrives: more than it has time for is not received.
fn core(model: &Model, received: &[CoreRow]) -> Option<String> {
    let most = busiest(received).filter(|_| model.has_several_cores())?;
    Some(format!("{} of RX on core {}", text::percent(most.share?), most.cpu))
}

/// Whose sum a sum over VFs is: of those that somebody counts.
fn which_vfs(model: &Model) -> String {
    let all = model.vfs.len();
    match model.vfs.iter().filter(|row| row.traffic.counters().is_some()).count() {
        counted if counted == all => "all VFs".to_owned(),
        counted => format!("{counted} of {all} VFs counted"),
    }
}

/// VFs in one line: the selected one, else all together.
fn vfs_line(
    buf: &mut Buffer,
    area: Rect,
    state: &State,
    model: &Model,
    chosen: Option<Subject<'_>>,
    theme: Theme,
) {
    let rates = |tx: Option<f64>, rx: Option<f64>| {
        format!("TX {}  RX {}", rate::words(tx, state.measure), rate::words(rx, state.measure))
    };
    let (what, words, style) = if let Some(Subject::Vf(row)) = chosen {
        let rate = Subject::Vf(row).rate();
        let of = |rate: Option<rate::Rate>| rate.map(|rate| rate.of(state.measure));
        let holder = vf::holder(&row.vf).map_or_else(String::new, |holder| format!("  {holder}"));
        (format!("{}{holder}", vf::name(&row.vf)), rates(of(rate.tx), of(rate.rx)), theme.selected())
    } else {
        let now = state.shown_history().values(Whose::Vfs, state.measure).pop().unwrap_or_default();
        let more = format!("{}  (tab {} has each)", rates(now.tx, now.rx), Tab::Vfs.number());
        (which_vfs(model), more, Style::new())
    };
    buf.set_style(area, style);
    let room = area.width.saturating_sub(paint::width(&words) + 4);
    let what = text::fit(&what, usize::from(room));
    paint::spans(
        buf,
        area,
        vec![Span::styled(format!(" {what}  "), style.patch(theme.title())), Span::styled(words, style)],
    );
}

/// Divides rows among tables that need so many: who needs less than an equal share leaves the rest to the others.
fn share(needs: &[u16], total: u16) -> Vec<u16> {
    let mut given = vec![0; needs.len()];
    let mut left = total;
    while left > 0 {
        let mut changed = false;
        for (given, need) in given.iter_mut().zip(needs) {
            if *given < *need && left > 0 {
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
        assert_eq!(share(&[3, 4, 4], 30), [3, 4, 4]);
        assert_eq!(share(&[3, 1000, 300], 13), [3, 5, 5]);
        assert_eq!(share(&[3, 4, 300], 20), [3, 4, 13]);
        assert_eq!(share(&[3, 4, 300, 7], 20), [3, 4, 7, 6]);
        assert_eq!(share(&[3, 4, 300], 0), [0, 0, 0]);
        assert!(share(&[], 5).is_empty());
    }
}
