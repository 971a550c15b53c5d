//! What the screen says beside its models, and the keys that play a recording.

use std::{sync::Arc, time::Duration};

use super::{SIZES, draw, keys};
use crate::{
    model::Model,
    record::player::{Moment, Play, Playback},
    tui::{
        action::{Action, Effect},
        feed::{Back, Feed, Measuring, Recording},
        history::Whose,
        measure::Measure,
        state::State,
        tab::Tab,
        testdata,
        update::update,
    },
};

#[test]
fn paths_are_measured_when_somebody_asks() {
    let mut state = testdata::state(2);
    assert_eq!(keys(&mut state, "P"), Effect::None, "not where nothing says what it sends");
    keys(&mut state, "3");
    assert_eq!(keys(&mut state, "P"), Effect::Measure(Some("172.31.77.2".parse().unwrap())));
    assert_eq!(state.tab, Tab::Mtu);
    assert_eq!(keys(&mut state, "P"), Effect::Measure(None));
    let mut told = |measuring: Measuring| {
        update(&mut state, Action::Feed(Feed { measuring: Some(measuring), ..Feed::default() }));
        draw(&state, (80, 24))
    };
    let trying = Some((1440, "10.42.2.0".parse().unwrap()));
    let screen = told(Measuring::Going { done: 1, all: 4, trying });
    assert!(screen.contains(" Measured 1 of 4 paths, trying 1440 bytes to 10.42.2.0 "), "{screen}");
    let screen = told(Measuring::Failed("\u{1b}x".to_owned()));
    assert!(screen.contains(" Nothing is measured: \\u{1b}x"), "{screen}");
    let rows = [
        "PEER   WAY       IP  EXPECTED  MEASURED  VERDICT",
        "node2  underlay  4       1500      1400  black hole",
    ];
    let done = Measuring::Done {
        at: Duration::from_secs(1_700_000_000),
        rows: rows.map(str::to_owned).to_vec(),
        advice: vec![
            "node2 underlay IPv4: packets above 1400 bytes are lost, and nobody is told.".to_owned(),
        ],
        sum: "1 path: 1 failure; 41 probes in 3.1 s".to_owned(),
    };
    insta::assert_snapshot!("mtu-measured", told(done));
    // A recording sends nothing.
    let playback = Playback { at: 1, count: 2, is_playing: false, speed: 1 };
    update(&mut state, Action::Feed(Feed { playback: Some(playback), ..Feed::default() }));
    assert_eq!(keys(&mut state, "P"), Effect::None);
    assert!(!draw(&state, (80, 24)).contains("send probes"));
}

#[test]
fn a_recording_is_said_to_be_one_and_keys_play_it() {
    let mut state = testdata::state(3);
    let time = state.model.as_ref().unwrap().time;
    assert_eq!(keys(&mut state, "w"), Effect::Record);
    let to = Feed { recording: Some(Recording::To("/x/\u{1b}x".to_owned())), ..Feed::default() };
    update(&mut state, Action::Feed(to));
    let screen = draw(&state, (80, 24));
    assert!(screen.contains(" Recording to /x/\\u{1b}x; w ends it."), "{screen}");
    let playback = Playback { at: 11, count: 3600, is_playing: true, speed: 4 };
    update(&mut state, Action::Feed(Feed { playback: Some(playback), ..Feed::default() }));
    for size in SIZES {
        let screen = draw(&state, size);
        assert!(
            screen.contains(" RECORDING of 20") && screen.contains("frame 12 of 3600, playing 4x  "),
            "{screen}"
        );
    }
    for (key, effect) in [
        ("p", Effect::Play(Play::PlayOrPause)),
        (" ", Effect::Play(Play::PlayOrPause)),
        (",", Effect::Play(Play::Step(-1))),
        (">", Effect::Play(Play::Skip(60))),
        ("-", Effect::Play(Play::Slower)),
        ("w", Effect::None),
        ("e", Effect::None),
    ] {
        assert_eq!(keys(&mut state, key), effect, "{key}");
    }
    assert!(state.frozen.is_none());
    // Back in time: what comes later is not known yet.
    let mut earlier = Model::clone(state.model.as_ref().unwrap());
    earlier.time = time.saturating_sub(Duration::from_secs(30));
    let points = |state: &State| state.history.values(Whose::Tunnels, Measure::Packets).len();
    assert!(points(&state) > 1);
    update(&mut state, Action::Model(Arc::new(earlier)));
    assert_eq!(points(&state), 1);
}

#[test]
fn an_earlier_moment_is_on_screen_until_somebody_comes_back() {
    let mut state = testdata::state(3);
    let newest = state.model.clone().unwrap();
    let time = newest.time;
    assert_eq!(keys(&mut state, "<"), Effect::Play(Play::Skip(-60)));
    assert_eq!(keys(&mut state, ","), Effect::Play(Play::Step(-1)));
    let moment = |seconds| {
        let mut model = Model::clone(&newest);
        model.time = time.saturating_sub(Duration::from_secs(seconds));
        Action::Past(Arc::new(model))
    };
    // Too late: nobody looks back.
    update(&mut state, moment(40));
    assert!(state.past.is_none());
    let back = |seconds| {
        let at = time.saturating_sub(Duration::from_secs(seconds));
        let back = Back { at, oldest: time.saturating_sub(Duration::from_secs(900)), newest: time };
        Action::Feed(Feed { back: Some(back), reading: Some((5, 60)), ..Feed::default() })
    };
    update(&mut state, back(30));
    for seconds in [32, 31, 30] {
        update(&mut state, moment(seconds));
    }
    for size in SIZES {
        let screen = draw(&state, size);
        assert!(screen.contains(" BACK at ") && screen.contains("30 s ago"), "{screen}");
    }
    let points = |state: &State| state.shown_history().values(Whose::Tunnels, Measure::Packets).len();
    assert_eq!(points(&state), 3, "graphs are of that time");
    // What goes on meanwhile is not on screen.
    testdata::trouble(&mut state);
    assert_eq!(state.shown().unwrap().time, time.saturating_sub(Duration::from_secs(30)));
    assert!(state.latest().unwrap().notes.is_empty());
    update(&mut state, moment(50));
    assert_eq!(points(&state), 1, "an earlier one begins anew");
    assert_eq!([keys(&mut state, "p"), keys(&mut state, " ")], [Effect::Now, Effect::Now]);
    assert_eq!(update(&mut state, Action::Back), Effect::Now);
    update(&mut state, Action::Feed(Feed::default()));
    assert!(state.past.is_none() && !state.latest().unwrap().notes.is_empty());
    assert!(points(&state) > 50);
}

#[test]
fn a_time_is_typed() {
    let mut state = testdata::state(1);
    assert_eq!(keys(&mut state, "T-3"), Effect::None);
    let screen = draw(&state, (80, 24));
    assert!(screen.contains(" time:  -3_"), "{screen}");
    keys(&mut state, "m");
    let go = update(&mut state, Action::FilterKeep);
    assert_eq!(go, Effect::Play(Play::To(Moment::BeforeEnd(Duration::from_secs(180)))));
    keys(&mut state, "Tx");
    assert_eq!(update(&mut state, Action::FilterKeep), Effect::None);
    let screen = draw(&state, (120, 40));
    assert!(screen.contains("give a time such as"), "{screen}");
}

#[test]
fn samples_are_taken_more_often_and_less_often() {
    let mut state = testdata::state(1);
    assert_eq!(keys(&mut state, "+"), Effect::None, "unknown");
    state.interval = Some(Duration::from_secs(1));
    assert_eq!(keys(&mut state, "-"), Effect::Interval(Duration::from_secs(2)));
    let screen = draw(&state, (80, 24));
    assert!(screen.contains("a sample every 2 s"), "{screen}");
    keys(&mut state, "++");
    assert_eq!(keys(&mut state, "+"), Effect::Interval(Duration::from_millis(250)));
    assert_eq!(keys(&mut state, "+"), Effect::None);
}

#[test]
fn a_screen_in_ascii_has_nothing_else() {
    let mut state = testdata::state(3);
    testdata::trouble(&mut state);
    state.preferences.ascii = true;
    for tab in Tab::ALL {
        state.tab = tab;
        for size in SIZES {
            let screen = draw(&state, size);
            let other: String = screen.chars().filter(|c| !c.is_ascii()).collect();
            assert_eq!(other, "", "{tab:?}");
        }
    }
}
