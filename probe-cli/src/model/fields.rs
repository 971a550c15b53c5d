//! The catalogue of metrics: what is measured, each with its name, title, unit, the period that it is about, and its meaning. JSON
//! documents, their description in `docs/json.md`, columns of tables and of the screen, its help and what exports metrics are made
//! of it.

pub mod columns;
mod flow;
mod link;
mod observer;
mod probes;

pub use flow::{
    CORE, DROP, FLOW, INNER_BITS, KINDS, OUTER, OUTER_BITS, PACKETS, PART, SYNS, TOGETHER, TUNNEL, WIREGUARD,
};
pub use link::{COUNTERS, LINK, LINK_BITS, LINK_PACKETS, WIRE};
pub use observer::{HOOK, OBSERVER, PROGRAM};
pub use probes::PROBES;

/// A metric of a `T`.
#[derive(Debug)]
pub struct Field<T> {
    /// Its name in documents.
    pub name: &'static str,
    /// Its title over a column; none when no column shows it by itself.
    pub title: Option<&'static str>,
    /// What its number counts.
    pub unit: Unit,
    /// How its number behaves.
    pub kind: Kind,
    /// The time that its number is about.
    pub period: Period,
    /// What it means.
    pub help: &'static str,
    /// Its value; none when it is not known, or when there is nothing to divide by.
    pub of: fn(&T) -> Option<Number>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Socket buffers of the kernel.
    Buffers,
    /// Packets.
    Packets,
    /// Bytes.
    Bytes,
    /// Socket buffers per second.
    BuffersPerSecond,
    /// Packets per second.
    PacketsPerSecond,
    /// Bits per second.
    BitsPerSecond,
    /// A ratio of two numbers of one unit.
    Ratio,
    /// Percent of a core.
    Percent,
    /// Seconds.
    Seconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Messages of the kernel side.
    Events,
    /// Runs of a program.
    Runs,
    /// Runs of a program per second.
    RunsPerSecond,
    /// Pods or peers.
    Entries,
}

impl Unit {
    /// Its sign in a title; none where a number has none.
    pub fn sign(self) -> &'static str {
        match self {
            Self::PacketsPerSecond | Self::BuffersPerSecond => "p/s",
            Self::BitsPerSecond => "b/s",
            Self::Bytes => "B",
            Self::Percent => "%",
            Self::Seconds => "s",
            Self::Nanoseconds => "ns",
            Self::RunsPerSecond => "/s",
            Self::Buffers | Self::Packets | Self::Ratio | Self::Events | Self::Runs | Self::Entries => "",
        }
    }
}

/// How a number behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from when counting began.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The time that a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From when counting began.
    Total,
    /// The last interval.
    Interval,
    /// The moment at its end.
    Now,
}

impl Period {
    /// Its name in documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Interval => "interval",
            Self::Now => "now",
        }
    }
}

/// The value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Count(u64),
    /// Any other.
    Amount(f64),
}

impl Number {
    /// As a number that columns sort by.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Amount(amount) => amount,
        }
    }
}

impl<T> Field<T> {
    const fn counter(
        name: &'static str,
        unit: Unit,
        help: &'static str,
        of: fn(&T) -> Option<Number>,
    ) -> Self {
        Self { name, title: None, unit, kind: Kind::Counter, period: Period::Total, help, of }
    }

    const fn gauge(
        name: &'static str,
        unit: Unit,
        period: Period,
        help: &'static str,
        of: fn(&T) -> Option<Number>,
    ) -> Self {
        Self { name, title: None, unit, kind: Kind::Gauge, period, help, of }
    }

    const fn rate(name: &'static str, unit: Unit, help: &'static str, of: fn(&T) -> Option<Number>) -> Self {
        Self::gauge(name, unit, Period::Interval, help, of)
    }

    const fn titled(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write as _, fs};

    use super::*;
    use crate::{
        facts::netlink::LinkCounters,
        model::{
            CoreRow, DropDevice, DropRow, Flow, Handshake, ObserverRow, OuterFlow, OuterRates, ProgramRow,
            Rates, VfRates, WireguardRow,
        },
        sample::{Counts, DroppedPacket, Kinds, OuterCounts, OuterPart, PerDirection, Syns},
    };

    /// A table in `docs/json.md`.
    fn table<T>(fields: &[Field<T>]) -> String {
        let mut table = "| Field | Period | Title | Meaning |\n|---|---|---|---|\n".to_owned();
        for field in fields {
            let title = field.title.map_or_else(String::new, |title| format!("`{title}`"));
            writeln!(table, "| `{}` | {} | {title} | {} |", field.name, field.period.name(), field.help)
                .unwrap();
        }
        table
    }

    /// The text with the table below its mark.
    fn with_table(text: &str, mark: &str, table: &str) -> String {
        let mark = format!("<!-- metrics: {mark} -->\n");
        let (before, after) = text.split_once(&mark).unwrap_or_else(|| panic!("docs/json.md has no {mark}"));
        let end: usize =
            after.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
        format!("{before}{mark}{table}{}", &after[end..])
    }

    /// `UPDATE_DOCS=1 cargo test -p overlay-probe --lib fields` writes the tables.
    #[test]
    fn the_documentation_has_each_with_its_period_its_title_and_its_meaning() {
        let path = format!("{}/../docs/json.md", env!("CARGO_MANIFEST_DIR"));
        let written = fs::read_to_string(&path).unwrap();
        let tables = [
            ("flow", table(&FLOW)),
            ("outer", table(&OUTER)),
            ("kinds", table(&KINDS)),
            ("tunnel", table(&TUNNEL)),
            ("syns", table(&SYNS)),
            ("core", table(&CORE)),
            ("drop", table(&DROP)),
            ("wireguard", table(&WIREGUARD)),
            ("link", table(&LINK)),
            ("wire", table(&WIRE)),
            ("observer", table(&OBSERVER)),
            ("program", table(&PROGRAM)),
            ("hook", table(&HOOK)),
            ("probes", table(&PROBES)),
            ("counters", table(&COUNTERS)),
        ];
        assert_eq!(written.matches("<!-- metrics: ").count(), tables.len());
        let text = tables.iter().fold(written.clone(), |text, (mark, table)| with_table(&text, mark, table));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &text).unwrap();
        } else {
            assert_eq!(
                written, text,
                "docs/json.md: run UPDATE_DOCS=1 cargo test -p overlay-probe --lib fields"
            );
        }
    }

    fn each_has_a_number_of_its_own<T: Default>(fields: &[Field<T>], of: &T, expected: &[f64]) {
        let values: Vec<f64> = fields.iter().map(|field| (field.of)(of).unwrap().as_f64()).collect();
        assert_eq!(values, expected);
        let names: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), fields.len());
        for field in fields {
            // What is not known is none, and a counter always is.
            let known = (field.of)(&T::default()).is_some();
            assert_eq!(known, field.kind == Kind::Counter, "{}", field.name);
            assert!(field.kind == Kind::Gauge || field.period == Period::Total, "{}", field.name);
            let is_rate = matches!(
                field.unit,
                Unit::BuffersPerSecond | Unit::PacketsPerSecond | Unit::BitsPerSecond | Unit::RunsPerSecond
            );
            assert!(!is_rate || field.period == Period::Interval, "{}", field.name);
        }
    }

    #[test]
    fn each_is_a_number_of_its_own() {
        let total =
            Counts { skbs: 1, packets: 2, inner_bytes: 30, outer_bytes: 40, oversize: 5, fragments: 6 };
        let rate = Rates {
            skbs_per_s: 1.5,
            packets_per_s: 7.0,
            inner_bits_per_s: 8.0,
            outer_bits_per_s: 9.0,
            oversize_per_s: 11.0,
            fragments_per_s: 12.0,
        };
        let flow = Flow { total, rate: Some(rate) };
        let (ratio, mean) = (40.0 / 30.0, [1.0 / 7.0, 7.0 / 1.5]);
        each_has_a_number_of_its_own(
            &FLOW,
            &flow,
            &[
                1.0,
                2.0,
                30.0,
                40.0,
                5.0,
                6.0,
                7.0,
                8.0,
                9.0,
                ratio,
                15.0,
                2.0,
                1.5,
                11.0,
                12.0,
                9.0 / 8.0,
                mean[0],
                mean[1],
            ],
        );
        let in_clear = OuterPart { packets: 7, bytes: 8 };
        let total = OuterCounts { packets: 1, bytes: 2, fragments: 3, in_clear, ..OuterCounts::default() };
        let rate =
            OuterRates { packets_per_s: 4.0, bits_per_s: 5.0, fragments_per_s: 6.0, in_clear_per_s: 9.0 };
        let outer = OuterFlow { total, rate: Some(rate) };
        each_has_a_number_of_its_own(&OUTER, &outer, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    }

    fn numbers<T>(fields: &[Field<T>], of: &T) -> Vec<f64> {
        let names: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), fields.len());
        fields.iter().map(|field| (field.of)(of).unwrap().as_f64()).collect()
    }

    #[test]
    fn what_is_no_flow_has_numbers_of_its_own_too() {
        let kinds = Kinds {
            ipv4: 1,
            ipv6: 2,
            not_ip: 3,
            tcp: 4,
            udp: 5,
            other_protocol: 6,
            unsent: 7,
            sizes: Vec::new(),
        };
        assert_eq!(numbers(&KINDS, &kinds), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(numbers(&TUNNEL, &kinds), [7.0]);
        let dropped = DropRow {
            device: DropDevice::Tunnel(String::new()),
            ifindex: 9,
            reason: String::new(),
            outer: None,
            tunnels: std::collections::BTreeMap::new(),
            to_group: false,
            packets: 8,
            total: 1,
            per_s: Some(2.0),
            last: DroppedPacket::default(),
        };
        assert_eq!(numbers(&DROP, &dropped), [1.0, 2.0]);
        let core = CoreRow { cpu: 1, total: 2, grown: Some(3), share: Some(0.5) };
        assert_eq!(numbers(&CORE, &core), [2.0, 0.5]);
        assert_eq!(numbers(&PART, &OuterPart { packets: 1, bytes: 2 }), [1.0, 2.0]);
        let syns = Syns { segments: 1, over_budget: 2, largest_mss: 3 };
        assert_eq!(numbers(&SYNS, &syns), [1.0, 2.0, 3.0]);
        assert_eq!((SYNS[2].of)(&Syns { largest_mss: 0, ..syns }), None);
        let bytes = PerDirection { tx: 2, rx: 3 };
        let handshake = Handshake::Ago(std::time::Duration::from_millis(1_900));
        assert_eq!(numbers(&WIREGUARD, &WireguardRow { handshake, bytes, grown: None }), [1.0, 2.0, 3.0]);
        let never = WireguardRow { handshake: Handshake::Never, bytes, grown: None };
        assert_eq!((WIREGUARD[0].of)(&never), None);
        let link = VfRates { packets_per_s: 1.0, bits_per_s: 2.0, drops_per_s: 3.0 };
        assert_eq!(numbers(&LINK, &link), [1.0, 2.0, 3.0]);
        let counters = LinkCounters {
            rx_packets: 1,
            tx_packets: 2,
            rx_bytes: 3,
            tx_bytes: 4,
            rx_dropped: 5,
            tx_dropped: 6,
        };
        assert_eq!(numbers(&COUNTERS, &counters), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let counts =
            Counts { skbs: 1, packets: 2, inner_bytes: 30, outer_bytes: 3, oversize: 4, fragments: 5 };
        assert_eq!(numbers(&WIRE, &counts), [1.0, 2.0, 3.0, 4.0, 5.0]);
        let observer = ObserverRow {
            programs: Vec::new(),
            cpu_percent: Some(1.0),
            kernel_percent: Some(2.0),
            ns_per_packet: Some(3.0),
            rss_bytes: Some(4),
            map_bytes: 5,
            events_lost: 6,
            unknown_fragments: 7,
            pods_without_slot: 8,
            peers_without_slot: 9,
        };
        assert_eq!(numbers(&OBSERVER, &observer), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let program =
            ProgramRow { name: String::new(), runs: 1, runs_per_s: Some(2.0), ns_per_run: Some(3.0) };
        assert_eq!(numbers(&PROGRAM, &program), [1.0, 2.0, 3.0]);
        let rows = crate::model::hooks::testdata::model().hooks;
        let timed = rows.rows().iter().find(|row| row.name.as_deref() == Some("cil_to_overlay")).unwrap();
        assert_eq!(numbers(&HOOK, timed), [1000.0, 240.0]);
    }

    #[test]
    fn no_two_columns_have_one_title() {
        let columns = columns::OF_TUNNELS.iter().chain(&columns::OF_LINKS).chain(&columns::OF_PROBES);
        let titles: Vec<&str> = columns.map(|column| column.title).collect();
        assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), titles.len(), "{titles:?}");
        assert!(!titles.contains(&""));
    }
}
