//! What two machines say to each other, and results, as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use super::{
    metric::Metric,
    result::{Document, MOST_ROUNDS, MOST_RUNS},
    wire::{Answer, Ask, LONGEST, WireError, decode, encode},
};

/// Reads a message of either side, and a file with results. Returns what is said of those that cannot be read, and what is shown of
/// those that can.
pub(crate) fn any(bytes: &[u8]) -> Vec<String> {
    let mut shown = Vec::new();
    match decode::<Ask>(bytes) {
        Ok(ask) => {
            let read = again(&ask, bytes.len());
            assert_eq!(read, Some(ask), "a question is another one once it was written");
        }
        Err(error) => shown.push(said(&error)),
    }
    match decode::<Answer>(bytes) {
        Ok(answer) => {
            // Its numbers with a point may differ in the last digit.
            let read = again(&answer, bytes.len());
            let kinds = [read.as_ref(), Some(&answer)].map(|answer| answer.map(std::mem::discriminant));
            assert_eq!(kinds[0], kinds[1], "an answer to another question");
            if let (Some(Answer::Marked(read)), Answer::Marked(answer)) = (&read, &answer) {
                assert_eq!((read.amount, read.at_us), (answer.amount, answer.at_us));
            }
            if let Answer::Refused { why } = answer {
                shown.push(super::wire::short(&why));
            }
        }
        Err(error) => shown.push(said(&error)),
    }
    match Document::read(bytes) {
        Ok(document) => results(&document),
        Err(error) => shown.push(super::wire::short(&error.to_string())),
    }
    shown
}

/// What is understood can be said, and is not longer than a message may be unless it was written without escapes.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(message: &T, len: usize) -> Option<T> {
    match encode(message) {
        Ok(line) => {
            let end = line.iter().position(|byte| *byte == b'\n');
            assert_eq!(end, Some(line.len() - 1), "a message is a line");
            decode(&line).ok()
        }
        // An escape for a byte makes it longer, and numbers get a point.
        Err(error) => {
            assert!(len.saturating_mul(8) > LONGEST, "{error}");
            let line = serde_json::to_vec(message).unwrap_or_default();
            serde_json::from_slice(&line).ok()
        }
    }
}

fn said(error: &WireError) -> String {
    let said = error.to_string();
    assert!(said.chars().count() <= 300, "an error without end");
    said
}

/// Of whatever is read everything is bounded, and it can be written and read again.
fn results(document: &Document) {
    assert!((1..=MOST_RUNS).contains(&document.runs.len()), "runs without bound");
    for run in &document.runs {
        assert!((1..=MOST_ROUNDS).contains(&run.rounds.len()), "rounds without bound");
        let measured = Metric::ALL.iter().filter(|metric| run.parameters.measures(**metric));
        for load in measured.map(|metric| metric.load()) {
            assert!(run.parameters.loads().contains(&load), "a metric of a load that was not sent");
        }
        for slice in run.rounds.iter().flat_map(|round| &round.slices) {
            assert!(slice.seconds > 0.0, "a slice of no time");
            for metric in Metric::ALL {
                let value = slice.value(metric).unwrap_or(0.0);
                assert!(value >= 0.0, "less than nothing was measured");
            }
        }
    }
    let written = document.to_json().unwrap_or_default();
    assert!(Document::read(written.as_bytes()).is_ok(), "a result that we write is none");
}
