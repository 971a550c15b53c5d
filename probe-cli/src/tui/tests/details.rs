//! How much of a row is shown, and what is said beside graphs and figures.

use super::*;
use crate::tui::feed::Feed;

#[test]
fn enter_leads_to_all_details_where_they_are_cut_and_to_the_table() {
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model::hooks::testdata::model())));
    keys(&mut state, "2G");
    let cut = draw(&state, (80, 24));
    assert!(cut.contains(" more lines (Enter)") && cut.contains(" Enter all details "), "{cut}");
    press(&mut state, &[KeyCode::Enter]);
    insta::assert_snapshot!("tunnel-whole-80x24", draw(&state, (80, 24)));
    assert!(!draw(&state, (80, 24)).contains("TUNNEL▲"));
    // Its lines can be scrolled: nothing of it is out of reach.
    press(&mut state, &[KeyCode::PageDown, KeyCode::PageDown, KeyCode::PageDown]);
    let end = draw(&state, (80, 24));
    assert!(end.contains(" over 1450 ") && end.contains(" more lines above (PgUp)"), "{end}");
    press(&mut state, &[KeyCode::Enter]);
    let table = draw(&state, (80, 24));
    assert!(table.contains("TUNNEL▲") && !table.contains(" kind "), "{table}");
    press(&mut state, &[KeyCode::Enter]);
    assert_eq!(draw(&state, (80, 24)), cut);
    // Back leads back, too; and where all is on the screen there is no more of it.
    press(&mut state, &[KeyCode::Enter, KeyCode::Esc]);
    assert_eq!(draw(&state, (80, 24)), cut);
    assert!(!draw(&state, (200, 60)).contains("(Enter)"));
    press(&mut state, &[KeyCode::Enter]);
    assert!(!draw(&state, (200, 60)).contains(" kind "));
}

#[test]
fn a_small_terminal_has_all_details_too() {
    let mut state = testdata::state(2);
    keys(&mut state, "2");
    assert!(!draw(&state, (80, 12)).contains(" kind "));
    press(&mut state, &[KeyCode::Enter]);
    assert!(draw(&state, (80, 12)).contains(" kind "));
}

#[test]
fn figures_of_vfs_alone_are_not_called_outer() {
    let mut state = State::new("node1".to_owned(), false);
    let vfs_alone =
        Model { tunnels: Vec::new(), ..Model::clone(testdata::state_with_vfs(1).shown().unwrap()) };
    update(&mut state, Action::Model(Arc::new(vfs_alone)));
    for (key, unit) in [("", "bit/s"), ("u", "B/s"), ("u", "B/s (1024)"), ("u", "packets/s"), ("u", "bit/s")]
    {
        keys(&mut state, key);
        let screen = draw(&state, (200, 60));
        assert!(screen.contains(&format!(" u {unit} ")) && !screen.contains(" outer "), "{screen}");
    }
    keys(&mut state, "?");
    let help = draw(&state, (80, 24));
    assert!(help.contains(" disputed ") && !help.contains(" no FDB "), "{help}");
    update(&mut state, Action::Model(Arc::clone(testdata::state_with_vfs(1).model.as_ref().unwrap())));
    let help = draw(&state, (80, 40));
    assert!(help.contains(" disputed ") && help.contains(" no FDB "), "{help}");
}

#[test]
fn a_graph_ends_now_or_at_the_time_of_its_picture() {
    let mut state = testdata::state(2);
    assert!(draw(&state, (80, 24)).contains("─ now"));
    keys(&mut state, "p");
    let time = crate::text::clock(state.shown().unwrap().time);
    let end = format!("─ {}\"", time.trim_end_matches(" UTC"));
    let paused = draw(&state, (80, 24));
    assert!(paused.contains(&end) && !paused.contains("─ now"), "{paused}");
    keys(&mut state, "p");
    let playback = crate::record::player::Playback { at: 0, count: 2, is_playing: false, speed: 1 };
    update(&mut state, Action::Feed(Feed { playback: Some(playback), ..Feed::default() }));
    assert!(draw(&state, (80, 24)).contains(&end));
}

#[test]
fn prefixes_of_1024_are_in_the_figures() {
    let mut state = testdata::state(2);
    keys(&mut state, "uuu");
    let screen = draw(&state, (120, 40));
    assert!(screen.contains(" u outer B/s (1024) ") && screen.contains("MiB/s"), "{screen}");
    let tunnel = screen.lines().find(|line| line.contains(" flannel.1 ")).unwrap();
    assert!(tunnel.contains("Mi ") || tunnel.contains("Ki "), "{tunnel}");
    assert!(!screen.contains(" iB/s"), "{screen}");
}
