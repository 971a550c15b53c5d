//! How large a packet gets to another node: probes of many sizes, sent and judged.
//!
//! Here belongs what is sent and what answers mean. The search is pure, without sockets and without a clock: [`Prober`] takes
//! what happened ([`Sends::handle`]), and says what to send next and when to be asked again; [`Watcher`] does the same for probes that go
//! on. [`wire`] is the only part that
//! opens sockets, and only obeys. Which peers there are says the model; words and columns are a report's.

mod bisect;
mod classify;
mod flows;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod icmp;
mod interrupted;
mod judge;
mod pace;
mod plan;
mod prober;
mod probes;
mod search;
mod segment;
#[cfg(test)]
mod simulated;
mod watch;
pub mod wire;

#[cfg(test)]
pub(crate) use self::judge::testdata;
pub use self::{
    classify::{Forward, Ignored, Loss, Outcome, Refusal, Reverse, SomeFlows, Verdict, Who},
    flows::{MOST_FLOWS, targets, together},
    interrupted::{Up, gone, interrupt},
    judge::{Judged, Learned, Row, Severity, judge},
    plan::{Path, UnknownTarget, Way, plan},
    prober::{Command, Input, Prober, Sends},
    search::{Kind, MOST_PROBES, Quoted, SMALL, Target},
    watch::{MOST_WATCHED, Watcher},
};
