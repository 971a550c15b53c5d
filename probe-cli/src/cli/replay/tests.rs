//! A recording says what somebody wants it to say: whatever is in one can be judged and printed, and no character of it acts on a
//! terminal.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::{
    check,
    facts::testdata::any,
    model::{self, Model},
    report::{
        self,
        check::{self as checked, Health},
        jsonl,
    },
    sample::Frame,
    text,
};

/// Numbers up to this: sums of them fit.
const MOST: u64 = 1 << 40;

/// Any frame, with numbers that a counter can have.
fn frame(seed: u64) -> Frame {
    let mut value = serde_json::to_value(any::<Frame>(seed)).unwrap();
    bound(&mut value);
    serde_json::from_value(value).unwrap()
}

fn bound(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(large) = number.as_u64().filter(|number| *number > MOST) {
                *value = (large % MOST).into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(bound),
        Value::Object(fields) => fields.values_mut().for_each(bound),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Two frames that have nothing to do with each other.
fn model(seed: u64) -> std::sync::Arc<Model> {
    model::over(frame(seed).sample, frame(seed + 1))
}

fn printed(model: &Model) -> Vec<(&'static str, String)> {
    let judgement = check::run(model, check::REGISTRY);
    let verdict = judgement.verdict(false);
    let health = Health { model, judgement: &judgement, verdict, took_s: 0.0, since: None };
    vec![
        ("node", report::node::table(model)),
        ("links", report::links::table(model)),
        ("peers", report::peers::table(model)),
        ("mtu", report::mtu::table(model)),
        ("pods", report::pods::table(model)),
        ("vfs", report::vfs::table(model)),
        ("node json", report::node::json(model).unwrap()),
        ("links json", report::links::json(model).unwrap()),
        ("peers json", report::peers::json(model).unwrap()),
        ("mtu json", report::mtu::json(model).unwrap()),
        ("pods json", report::pods::json(model).unwrap()),
        ("vfs json", report::vfs::json(model).unwrap()),
        ("jsonl", text::escape_json(serde_json::to_string(&jsonl::document(model, &[])).unwrap())),
        ("check", checked::table(&health, true)),
        ("check json", checked::json(&health).unwrap()),
        ("check junit", checked::junit(&health)),
        ("check sarif", checked::sarif(&health).unwrap()),
        ("check markdown", checked::markdown(&health)),
        ("check nagios", checked::nagios(&health)),
        ("check npd", checked::npd(&health)),
    ]
}

#[test]
fn whatever_a_recording_says_is_printed_harmlessly() {
    let mut faults = Vec::new();
    for seed in 0..300 {
        let Ok(texts) = catch_unwind(AssertUnwindSafe(|| printed(&model(seed)))) else {
            faults.push(format!("{seed}: a panic"));
            continue;
        };
        for (name, text) in texts {
            let acts = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
            if let Some(at) = text.chars().position(|c| acts(&c)) {
                let around: String = text.chars().skip(at.saturating_sub(40)).take(60).collect();
                faults.push(format!("{seed}, {name}: {around:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
