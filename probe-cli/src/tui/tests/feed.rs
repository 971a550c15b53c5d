//! What the screen says beside its models, and the keys that play a recording.

use std::{sync::Arc, time::Duration};

use super::{SIZES, draw, keys};
use crate::{
    model::Model,
    record::player::{Play, Playback},
    tui::{
        action::{Action, Effect},
        feed::{Feed, Recording},
        history::Whose,
        measure::Measure,
        state::State,
        testdata,
        update::update,
    },
};

#[test]
fn a_recording_is_said_to_be_one_and_keys_play_it() {
    let mut state = testdata::state(3);
    let time = state.model.as_ref().unwrap().time;
    // Live there is nothing to play, and what follows can be recorded.
    assert_eq!((keys(&mut state, "<.+"), keys(&mut state, "w")), (Effect::None, Effect::Record));
    let to = Feed { recording: Some(Recording::To("/x/\u{1b}x".to_owned())), playback: None };
    update(&mut state, Action::Feed(to));
    let screen = draw(&state, (80, 24));
    assert!(screen.contains(" Recording to /x/\\u{1b}x; w ends it."), "{screen}");
    let playback = Playback { at: 11, count: 3600, is_playing: true, speed: 4 };
    update(&mut state, Action::Feed(Feed { playback: Some(playback), recording: None }));
    for size in SIZES {
        let screen = draw(&state, size);
        assert!(
            screen.contains(" RECORDING of 20") && screen.contains("frame 12 of 3600, playing 4x"),
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
