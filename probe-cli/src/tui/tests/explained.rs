//! The key that asks why packets are "other", and what the Cost tab shows then.

use crossterm::event::KeyCode;

use super::{SIZES, draw, keys, press, snapshots};
use crate::{
    model::{ExplainedRows, Model},
    tui::{
        action::{Action, Effect},
        explaining::Progress,
        state::State,
        tab::Tab,
        testdata,
        update::update,
    },
};

fn model(state: &mut State, explained: Option<ExplainedRows>) {
    let shown = Model::clone(state.shown().unwrap());
    update(state, Action::Model(std::sync::Arc::new(Model { explained, ..shown })));
}

#[test]
fn it_is_shown_in_the_cost_tab() {
    let mut state = testdata::state(2);
    testdata::explained(&mut state);
    snapshots("explained", &state);
    for size in SIZES {
        assert!(draw(&state, size).contains("96 more to come; e stops"));
    }
}

#[test]
fn the_key_begins_leads_there_and_ends() {
    let mut state = testdata::state(2);
    assert_eq!((keys(&mut state, "e"), state.tab), (Effect::Explain(true), Tab::Cost));
    assert!(draw(&state, (80, 24)).contains("loading the programs that say it"));
    // From elsewhere it leads back, and stops nothing.
    assert_eq!((keys(&mut state, "1e"), state.tab), (Effect::None, Tab::Cost));
    assert_eq!(keys(&mut state, "e"), Effect::Explain(false));
    assert!(draw(&state, (80, 24)).contains("until it was stopped; e begins anew"));
    // What was on its way then is not taken in.
    let late = crate::model::explained::testdata::model().explained;
    model(&mut state, late);
    assert!(state.explaining.packets.is_empty() && state.explaining.progress == Progress::Ended);
    assert_eq!(keys(&mut state, "e"), Effect::Explain(true));
    press(&mut state, &[KeyCode::Esc]);
}

#[test]
fn the_last_packet_ends_it_and_a_problem_is_said() {
    let mut state = testdata::state(2);
    testdata::explained(&mut state);
    model(&mut state, Some(ExplainedRows { left: 0, ..ExplainedRows::default() }));
    assert!(draw(&state, (80, 24)).contains("4 packets, all that were asked for; e asks for more"));
    model(&mut state, None);
    assert_eq!(state.explaining.packets.len(), 4, "they stay in sight");
    assert_eq!(keys(&mut state, "e"), Effect::Explain(true));
    assert!(state.explaining.packets.is_empty(), "until somebody asks anew");
    let problem = Some("no room\u{1b}[2J".to_owned());
    model(&mut state, Some(ExplainedRows { problem, ..ExplainedRows::default() }));
    assert!(draw(&state, (80, 24)).contains("cannot be said: no room\\u{1b}[2J"));
    assert_eq!(keys(&mut state, "e"), Effect::Explain(true), "it can be tried again");
}
