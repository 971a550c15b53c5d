//! What `mtu --watch` prints again and again: the paths, the worst first, and what is wrong with them.

use std::{cmp::Reverse, fmt::Write as _, net::IpAddr, time::Duration};

use serde::Serialize;

use super::words;
use crate::{
    model::{self, PathProbes, PeerProbes, ProbeCounts},
    mtu::{Ignored, Path},
    report::{
        align::{aligned, heading, wrapped},
        json::Probed,
        peer_probes::{milliseconds, signal},
        rfc3339,
    },
    text,
};

/// What was sent so far.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Wall clock, since the Unix epoch.
    pub time: Duration,
    /// What was planned.
    pub paths: &'a [Path],
    /// What that has come to.
    pub probes: &'a PeerProbes,
    /// Messages that were not believed.
    pub ignored: Ignored,
}

impl Watched<'_> {
    /// Paths with what they came to, the worst first.
    fn rows(&self) -> Vec<(&Path, &PathProbes)> {
        let probes = |path: &Path| {
            let of_address = |probes: &PathProbes| probes.address.cmp(&path.address);
            self.probes.paths.get(self.probes.paths.binary_search_by(of_address).ok()?)
        };
        let mut rows: Vec<_> = self.paths.iter().filter_map(|path| Some((path, probes(path)?))).collect();
        rows.sort_by_key(|(_, probes)| Reverse(probes.signal));
        rows
    }
}

/// As a table.
pub fn table(watched: &Watched<'_>) -> String {
    let mut out = String::new();
    let every = watched.probes.every.as_secs_f64();
    let heading_line = format!(
        "{}: {}; a small probe every {every:.0} s, one of BIG bytes every {:.0} s",
        text::clock(watched.time),
        text::counted(watched.probes.paths.len(), "path"),
        every * 10.0
    );
    wrapped(&mut out, "", &heading_line);
    let titles = ["PEER", "WAY", "IP", "LOST", "P50 ms", "P99 ms", "JITTER", "LAST", "BIG", "LOST", "STATE"];
    let paths = watched.rows();
    let mut rows = vec![heading(&titles)];
    rows.extend(paths.iter().map(|(path, probes)| cells(path, probes)));
    aligned(&mut out, &rows);
    for (path, probes) in &paths {
        if let Some(what) = model::wrong(probes) {
            let address = path.address.to_string();
            let who = if path.peer == address {
                address
            } else {
                format!("{} {address}", text::escape(&path.peer))
            };
            wrapped(&mut out, "! ", &format!("{who}: {what}."));
        }
    }
    if watched.ignored.lies() > 0 {
        wrapped(
            &mut out,
            "! ",
            &format!("messages that cannot be true were ignored: {}.", watched.ignored.lies()),
        );
    }
    if watched.probes.left_out > 0 {
        let left_out = text::counted(usize::try_from(watched.probes.left_out).unwrap_or(usize::MAX), "path");
        wrapped(&mut out, "! ", &format!("nothing is sent on {left_out} beyond the bound."));
    }
    let _ = writeln!(out);
    out
}

fn cells(path: &Path, probes: &PathProbes) -> Vec<String> {
    let of = |counts: ProbeCounts| format!("{}/{}", counts.lost, counts.sent);
    let trips = probes.round_trips;
    let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), milliseconds);
    vec![
        text::escape(&path.peer),
        words::way(path.way).to_owned(),
        if path.address.is_ipv6() { "6".to_owned() } else { "4".to_owned() },
        of(probes.small),
        time(trips.map(|trips| trips.p50)),
        time(trips.map(|trips| trips.p99)),
        time(trips.map(|trips| trips.jitter)),
        text::age(probes.answered_ago),
        probes.size.to_string(),
        of(probes.large),
        signal(probes.signal).to_owned(),
    ]
}

/// As one JSON line, without its end.
pub fn line(watched: &Watched<'_>) -> Result<String, serde_json::Error> {
    let rows = watched.rows();
    let document = Document {
        schema_version: 1,
        time: rfc3339(watched.time),
        every_s: watched.probes.every.as_secs_f64(),
        left_out: watched.probes.left_out,
        ignored: watched.ignored.lies(),
        paths: rows.iter().map(|(path, probes)| Entry::new(path, probes)).collect(),
    };
    serde_json::to_string(&document).map(text::escape_json)
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    /// RFC 3339, UTC.
    time: String,
    every_s: f64,
    left_out: u64,
    ignored: u32,
    paths: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    peer: &'a str,
    node: Option<IpAddr>,
    way: &'static str,
    family: u8,
    address: IpAddr,
    #[serde(flatten)]
    probed: Probed<'a>,
}

impl<'a> Entry<'a> {
    fn new(path: &'a Path, probes: &'a PathProbes) -> Self {
        Self {
            peer: &path.peer,
            node: path.node,
            way: words::way(path.way),
            family: if path.address.is_ipv6() { 6 } else { 4 },
            address: path.address,
            probed: probes.into(),
        }
    }
}
