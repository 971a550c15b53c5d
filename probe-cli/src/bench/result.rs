//! The document that a run leaves: the machine, what was measured how, and every round's raw data; what the path was like is in
//! [`super::facts`]. Reading it back, which takes nothing for granted: it may be of anybody, and of any version.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use thiserror::Error;

use super::{
    facts::Facts,
    metric::{Load, Metric, Scenario, Side},
};

/// Version of the document; grows when a field changes its meaning or goes away. Fields may be added without.
pub const SCHEMA_VERSION: u32 = 1;
/// What the document says it is.
const KIND: &str = "overlay-probe bench";
/// Rounds of a run at most: the last look is at this many.
pub const MOST_ROUNDS: usize = 80;
/// Runs in a document at most; of a baseline the oldest go.
pub const MOST_RUNS: usize = 64;

/// One or several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA_VERSION`] of who wrote it.
    pub schema_version: u32,
    /// What it is.
    pub kind: String,
    /// The runs, the newest last.
    pub runs: Vec<Run>,
}

/// What was measured in one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of the tool.
    pub tool_version: String,
    /// When it began, in seconds since the Unix epoch.
    pub started_at_s: u64,
    /// The same in seconds since the boot, which nobody sets; null where that is not known.
    #[serde(default)]
    pub since_boot_s: Option<u64>,
    /// On what.
    pub machine: Machine,
    /// How.
    pub parameters: Parameters,
    /// The other machine, where there are two; null for a lab.
    #[serde(default)]
    pub remote: Option<Remote>,
    /// The data planes.
    pub scenarios: Vec<ScenarioRun>,
    /// The rounds that were finished.
    pub rounds: Vec<Round>,
    /// Why it was taken into a baseline; null for one that was only measured.
    #[serde(default)]
    pub accepted: Option<Accepted>,
}

/// By whom nobody asks; the reason counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Why.
    pub reason: String,
    /// When, in seconds since the Unix epoch.
    pub at_s: u64,
    /// The only metrics of which it is the level; none where it is that of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

/// The far end of a run between two machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Where packets were sent through the overlay.
    pub to: String,
    /// Where they were sent beside it; null when that was not measured.
    pub underlay: Option<String>,
    /// The machine there.
    pub machine: Machine,
}

/// The machine, as far as it decides what can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: Option<String>,
    /// Architecture.
    pub architecture: String,
    /// Model of the processor.
    pub cpu: Option<String>,
    /// Processors that may be used.
    pub cores: u32,
    /// Frequency governor of the first of them.
    pub governor: Option<String>,
    /// `/proc/sys/kernel/random/boot_id`: another one after each boot.
    pub boot_id: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Length of a slice.
    pub slice_ms: u64,
    /// MTU of the nodes' NICs, but for scenarios that have one of their own.
    pub underlay_mtu: u32,
    /// Seed of the order.
    pub seed: u64,
    /// Which of the usual was measured; empty for all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Load>,
    /// What was measured beside the usual.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Load>,
    /// Who sent in place of the usual; null where nobody did. It is never run from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Outside>,
}

/// Commands of somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// Sends.
    pub client: String,
    /// Runs at the other end meanwhile; null where nothing has to.
    pub server: Option<String>,
}

impl Parameters {
    /// What is sent.
    pub fn loads(&self) -> Vec<Load> {
        let is_wanted = |load: &Load| self.only.is_empty() || self.only.contains(load);
        let usual = Load::USUAL.into_iter().filter(is_wanted).collect();
        let first = if self.load.is_some() { vec![Load::Command] } else { usual };
        first.into_iter().chain(self.also.iter().copied()).collect()
    }

    /// It is asked for.
    pub fn measures(&self, metric: Metric) -> bool {
        self.loads().contains(&metric.load())
    }
}

/// A data plane of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRun {
    /// Which.
    pub scenario: Scenario,
    /// Why it was not measured; null when it was.
    pub unsupported: Option<String>,
    /// What its path was like; null when it was not measured.
    pub facts: Option<Facts>,
}

/// A round: one slice of everything, in the order in which they ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The slices.
    pub slices: Vec<Slice>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The data plane.
    pub scenario: Scenario,
    /// What was sent.
    pub load: Load,
    /// Which way.
    pub side: Side,
    /// How long, in seconds.
    pub seconds: f64,
    /// Of a stream: payload bits per second that arrived; of a command: bits of what the receiving device counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_s: Option<f64>,
    /// Of datagrams: packets per second in the fastest tenth of the batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets_per_s: Option<f64>,
    /// Of datagrams: packets per second over the whole slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_packets_per_s: Option<f64>,
    /// Of datagrams: payload bytes of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagram_bytes: Option<u32>,
    /// Of connections: how many per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_per_s: Option<f64>,
    /// Of requests: time in seconds that half of them took at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    /// Of requests: the same for 9 of 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_s: Option<f64>,
    /// Of requests: the same for 99 of 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_s: Option<f64>,
    /// Of requests: the same for 999 of 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p999_s: Option<f64>,
    /// What the machine's processors did meanwhile.
    pub cpu: Cpu,
}

/// Shares of all processors' time during a slice; null where they cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// Not idle, in processors: 2.0 are two that had no rest.
    pub busy_cores: Option<f64>,
    /// Taken by the hypervisor for others, as a share of all time.
    pub steal: Option<f64>,
    /// In soft interrupts, as a share of all time.
    pub softirq: Option<f64>,
    /// How often the kernel's receive loop ran out of its budget.
    pub time_squeezes: Option<u64>,
}

impl Cpu {
    /// That of two machines: the processors of both that were busy, and of shares the larger ones. What is not known of one is not known
    /// of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |of: fn(&Self) -> Option<f64>, join: fn(f64, f64) -> f64| {
            of(&self).zip(of(&other)).map(|(one, other)| join(one, other))
        };
        Self {
            busy_cores: both(|cpu| cpu.busy_cores, |one, other| one + other),
            steal: both(|cpu| cpu.steal, f64::max),
            softirq: both(|cpu| cpu.softirq, f64::max),
            time_squeezes: self
                .time_squeezes
                .zip(other.time_squeezes)
                .map(|(one, other)| one.saturating_add(other)),
        }
    }
}

impl Slice {
    /// What a metric is made of.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Throughput | Metric::ThroughputN | Metric::CommandThroughput => self.bits_per_s,
            Metric::ConnectionRate => self.connections_per_s,
            Metric::PacketRate | Metric::PacketRate512 | Metric::PacketRateFull => self.packets_per_s,
            Metric::CpuPerGbit | Metric::CommandCpuPerGbit => {
                self.cpu.busy_cores.zip(self.bits_per_s).map(|(cores, bits)| cores * 1e9 / bits)
            }
            Metric::LatencyP50 | Metric::LoadedP50 => self.p50_s,
            Metric::LatencyP99 | Metric::LoadedP99 => self.p99_s,
        }
    }
}

impl Run {
    /// They are of one session: one of them may have been accepted, or have more rounds.
    pub fn is_session_of(&self, other: &Self) -> bool {
        (self.started_at_s, self.parameters.seed) == (other.started_at_s, other.parameters.seed)
    }

    /// The metrics of which alone it was accepted; none where that is all of them.
    pub fn accepted_only(&self) -> &[Metric] {
        self.accepted.as_ref().map_or(&[], |accepted| &accepted.metrics)
    }

    /// The data planes that were measured.
    pub fn measured(&self) -> impl Iterator<Item = Scenario> {
        self.scenarios.iter().filter(|row| row.unsupported.is_none()).map(|row| row.scenario)
    }

    /// What the path of one was like.
    pub fn facts(&self, scenario: Scenario) -> Option<&Facts> {
        self.scenarios.iter().find(|row| row.scenario == scenario)?.facts.as_ref()
    }

    /// When it began.
    pub fn started_at(&self) -> Duration {
        Duration::from_secs(self.started_at_s)
    }
}

/// Why a document cannot be used.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is something else.
    #[error("this is not a document of `overlay-probe bench run`: {0}")]
    Foreign(String),
    /// Another version.
    #[error(
        "its schema_version is {found}, this version reads {SCHEMA_VERSION}: measure again with this version"
    )]
    Schema {
        /// What it has.
        found: u64,
    },
    /// Nothing is in it.
    #[error("it has no {0}: measure again with `overlay-probe bench run`")]
    Empty(&'static str),
    /// More than any run leaves.
    #[error("it has more than {most} {what}")]
    TooMuch {
        /// What.
        what: &'static str,
        /// As many as there may be.
        most: usize,
    },
    /// A value that no measurement has.
    #[error("round {round} has a value that no measurement has: {what}")]
    Value {
        /// Number of the round, from 1.
        round: usize,
        /// Which.
        what: String,
    },
}

impl Document {
    /// With one run.
    pub fn of(run: Run) -> Self {
        Self { schema_version: SCHEMA_VERSION, kind: KIND.to_owned(), runs: vec![run] }
    }

    /// The newest run.
    pub fn last(&self) -> Result<&Run, ReadError> {
        self.runs.last().ok_or(ReadError::Empty("run"))
    }

    /// Takes a run into a baseline. False when it is in it already.
    pub fn accept(&mut self, run: Run, accepted: Accepted) -> bool {
        if self.runs.iter().any(|one| one.is_session_of(&run)) {
            return false;
        }
        self.runs.push(Run { accepted: Some(accepted), ..run });
        let excess = self.runs.len().saturating_sub(MOST_RUNS);
        self.runs.drain(..excess);
        true
    }

    /// As JSON, with a line end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads and checks one.
    pub fn read(text: &[u8]) -> Result<Self, ReadError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            kind: Option<String>,
            schema_version: Option<u64>,
        }
        // Not serde_json's own words: they quote the file, which may be another one than was meant.
        let foreign = |error: serde_json::Error| {
            let what = match error.classify() {
                Category::Io => "it cannot be read",
                Category::Syntax => "it is not JSON",
                Category::Eof => "its JSON ends too early",
                Category::Data => "a value is none that stands there, or one is missing",
            };
            ReadError::Foreign(format!("{what}: line {}, column {}", error.line(), error.column()))
        };
        let head: Head = serde_json::from_slice(text).map_err(foreign)?;
        if head.kind.as_deref() != Some(KIND) {
            return Err(ReadError::Foreign(format!("its `kind` is not \"{KIND}\"")));
        }
        match head.schema_version {
            Some(version) if version == u64::from(SCHEMA_VERSION) => {}
            Some(found) => return Err(ReadError::Schema { found }),
            None => return Err(ReadError::Foreign("it has no `schema_version`".to_owned())),
        }
        let document: Self = serde_json::from_slice(text).map_err(foreign)?;
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), ReadError> {
        if self.runs.len() > MOST_RUNS {
            return Err(ReadError::TooMuch { what: "runs", most: MOST_RUNS });
        }
        self.last()?;
        for run in &self.runs {
            if run.rounds.is_empty() {
                return Err(ReadError::Empty("finished round"));
            }
            if run.rounds.len() > MOST_ROUNDS {
                return Err(ReadError::TooMuch { what: "rounds", most: MOST_ROUNDS });
            }
            for (round, slices) in (1..).zip(&run.rounds) {
                for slice in &slices.slices {
                    slice.check().map_err(|what| ReadError::Value { round, what })?;
                }
            }
        }
        Ok(())
    }
}

impl Slice {
    /// Says which value cannot be.
    fn check(&self) -> Result<(), String> {
        let positive = [
            ("seconds", Some(self.seconds)),
            ("bits_per_s", self.bits_per_s),
            ("packets_per_s", self.packets_per_s),
            ("mean_packets_per_s", self.mean_packets_per_s),
            ("connections_per_s", self.connections_per_s),
            ("p50_s", self.p50_s),
            ("p90_s", self.p90_s),
            ("p99_s", self.p99_s),
            ("p999_s", self.p999_s),
        ];
        let shares = [("steal", self.cpu.steal), ("softirq", self.cpu.softirq)];
        let bad = |(name, value): &(&str, Option<f64>)| value.map(|value| format!("{name} is {value}"));
        let wrong = positive.iter().find(|(_, value)| value.is_some_and(|value| value <= 0.0));
        let wrong = wrong.or(shares.iter().find(|(_, v)| v.is_some_and(|v| !(0.0..=1.0).contains(&v))));
        let negative = ("busy_cores", self.cpu.busy_cores.filter(|cores| *cores < 0.0));
        match wrong.and_then(bad).or_else(|| bad(&negative)) {
            Some(what) => Err(format!("{} {what}", self.scenario)),
            None => Ok(()),
        }
    }
}
