//! What happened between two models, in words: those of the screen and of `watch`.

use crate::{
    model::{EventSubject, Happened, ModelEvent},
    text,
};

/// A word in front, and what happened, safe to print.
pub fn words(event: &ModelEvent) -> (&'static str, String) {
    let name = text::escape(&event.name);
    let what = match event.subject {
        EventSubject::Tunnel => "tunnel ",
        EventSubject::Underlay => "",
        EventSubject::Peer => "peer ",
        EventSubject::Pod => "pod ",
    };
    let (mark, end) = match event.happened {
        Happened::Appeared => ("new", String::new()),
        Happened::Went => ("gone", String::new()),
        Happened::MadeAgain => ("new", " was deleted and made again".to_owned()),
        Happened::Mtu(before, now) => ("changed", format!(": MTU {before} -> {now}")),
        Happened::Set { up } => ("changed", if up { ": set up" } else { ": set down" }.to_owned()),
        Happened::Carrier { there } => {
            ("changed", if there { ": has its carrier again" } else { ": lost its carrier" }.to_owned())
        }
        Happened::Silent => ("silent", ": nothing is received any more, which was steady before".to_owned()),
        Happened::Resumed(after) => {
            ("resumed", format!(": nothing was received for {:.1} s", after.as_secs_f64()))
        }
    };
    (mark, format!("{what}{name}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_reach_the_terminal() {
        let event =
            ModelEvent { subject: EventSubject::Pod, name: "\u{1b}[2J".to_owned(), happened: Happened::Went };
        assert_eq!(words(&event).1, "pod \\u{1b}[2J");
    }
}
