//! What happened in the interval of a line.

use serde::Serialize;

use crate::model::{EventSubject, Happened, ModelEvent};

#[derive(Serialize)]
pub(super) struct Event<'a> {
    subject: &'static str,
    name: &'a str,
    #[serde(rename = "event")]
    happened: &'static str,
    /// Null for all but a changed MTU.
    mtu: Option<u32>,
    mtu_before: Option<u32>,
    /// Null for all but the end of a silence.
    silent_s: Option<f64>,
}

impl<'a> From<&'a ModelEvent> for Event<'a> {
    fn from(told: &'a ModelEvent) -> Self {
        let subject = match told.subject {
            EventSubject::Tunnel => "tunnel",
            EventSubject::Underlay => "underlay",
            EventSubject::Peer => "peer",
            EventSubject::Pod => "pod",
        };
        let (happened, mtus, silent) = match told.happened {
            Happened::Appeared => ("appeared", None, None),
            Happened::Went => ("gone", None, None),
            Happened::MadeAgain => ("made-again", None, None),
            Happened::Mtu(before, now) => ("mtu-changed", Some((before, now)), None),
            Happened::Set { up: true } => ("set-up", None, None),
            Happened::Set { up: false } => ("set-down", None, None),
            Happened::Carrier { there: true } => ("carrier-back", None, None),
            Happened::Carrier { there: false } => ("carrier-lost", None, None),
            Happened::Silent => ("silent", None, None),
            Happened::Resumed(after) => ("resumed", None, Some(after.as_secs_f64())),
        };
        Self {
            subject,
            name: &told.name,
            happened,
            mtu: mtus.map(|(_, now)| now),
            mtu_before: mtus.map(|(before, _)| before),
            silent_s: silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_says_what_changed_and_for_how_long() {
        let of = |happened| {
            let told = ModelEvent { subject: EventSubject::Peer, name: "node2".to_owned(), happened };
            serde_json::to_value(Event::from(&told)).unwrap()
        };
        let value = of(Happened::Resumed(Duration::from_millis(3200)));
        assert_eq!(
            (&value["subject"], &value["name"], &value["event"]),
            (&"peer".into(), &"node2".into(), &"resumed".into())
        );
        assert_eq!(value["silent_s"], 3.2);
        let value = of(Happened::Mtu(1450, 1400));
        assert_eq!((&value["mtu_before"], &value["mtu"]), (&1450.into(), &1400.into()));
        assert!(value["silent_s"].is_null());
    }
}
