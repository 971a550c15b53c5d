//! Words for probes to other nodes, in tables and on the screen.

use std::time::Duration;

use crate::{
    model::{PathProbes, PeerPath, ProbeCounts, Probing, Signal},
    text,
};

/// What a path does, in two words.
pub(super) fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Unknown => "-",
        Signal::Answered => "ok",
        Signal::SomeLost => "some lost",
        Signal::RefusedHere => "refused here",
        Signal::TooBig { .. } => "too big",
        Signal::LargeLost => "black hole",
        Signal::Unanswered => "no answer",
    }
}

/// What is sent, in a sentence: whoever looks must know that something is, and that it is counted.
pub fn stated(probing: &Probing) -> String {
    let (paths, every) = (text::counted(probing.paths, "path"), probing.every.as_secs_f64());
    format!(
        "--probe-peers: on each of {paths} a small probe every {every:.0} s, a large one every {:.0} s; they and their answers are in the \
         counters below",
        every * 10.0
    )
}

/// A time in milliseconds, three digits.
pub(super) fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    let decimals = if ms < 9.995 { 2 } else { usize::from(ms < 99.95) };
    format!("{ms:.decimals$}")
}

/// A path on one line, and whether something is wrong with it.
pub fn in_short(path: &PeerPath) -> (String, bool) {
    let PathProbes { address, size, small, large, round_trips, signal: of, .. } = &path.probes;
    let times = round_trips.map_or_else(String::new, |trips| {
        let [p50, p99] = [trips.p50, trips.p99].map(milliseconds);
        format!(", p50 {p50} p99 {p99} ms")
    });
    let lost = |counts: &ProbeCounts| format!("{} of {} lost", counts.lost, counts.sent);
    let words = format!("{address} {}{times}, {}; of {size} bytes {}", signal(*of), lost(small), lost(large));
    (words, !matches!(of, Signal::Unknown | Signal::Answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_digits() {
        let of = |us| milliseconds(Duration::from_micros(us));
        assert_eq!(
            [of(0), of(53), of(9_994), of(9_996), of(99_949), of(99_960)],
            ["0.00", "0.05", "9.99", "10.0", "99.9", "100"]
        );
    }
}
