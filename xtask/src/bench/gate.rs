//! The gate's proof on a real machine: gates of identical code, which must not be red, then gates of a path that was made slower on
//! purpose, which must name what was done; and the ratio beside that of iperf3 run by hand. It takes long and needs a machine that does
//! nothing else, so that it is no test: its log is in docs/bench-log.md.

mod by_hand;
mod slower;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use self::slower::{Expected, Slowdown};
use super::world::World;
use crate::{command, ui};

/// How it is run.
pub(super) struct Plan<'a> {
    /// Gates of identical code.
    pub(super) gates: u32,
    /// Length of a slice, as `bench run` takes it.
    pub(super) slice: &'a str,
    /// Where its log is to be written as well.
    pub(super) log: Option<&'a Path>,
}

/// A base by which no gate can decide something is measured again, as `bench run` says: so often in all.
const BASES: u32 = 4;
/// How `bench run` says so.
const DECIDES_NOTHING: &str = "no gate passes";
/// Gates of identical code that a base is good for: what is wrong with one base is in all of its gates alike.
const GATES_OF_A_BASE: u32 = 5;
/// A gate of a slower path that decides nothing is run again, against a new base, as one would in CI: so often in all.
const ATTEMPTS: u32 = 3;

/// What a gate said.
struct Told {
    code: Option<i32>,
    /// Its last line.
    summary: String,
    /// What it takes for the cause.
    causes: Vec<String>,
}

/// What is measured, and on which processors.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The packet rate alone, which decides on a busy machine, too.
    Packets,
    /// All that decides; latencies do not.
    All,
    /// The same with sender and receiver on one processor.
    OneProcessor,
}

impl Way {
    const ALL: [Self; 3] = [Self::Packets, Self::All, Self::OneProcessor];

    /// `--only` of `bench run`.
    fn only(self) -> &'static str {
        match self {
            Self::Packets => "udp",
            Self::All | Self::OneProcessor => "tcp,udp",
        }
    }

    /// What starts the tool.
    fn before(self) -> &'static [&'static str] {
        match self {
            Self::Packets | Self::All => &[],
            Self::OneProcessor => slower::ONE_PROCESSOR,
        }
    }

    /// How it is called.
    fn words(self) -> String {
        [self.before(), &["overlay-probe", "bench", "run", "--only", self.only()]].concat().join(" ")
    }
}

/// The tool on the lab.
struct Gate {
    binary: PathBuf,
    prefix: String,
    base: PathBuf,
    slice: String,
    way: Way,
    /// The margins that the base names, as `--max-regression` takes them; none where the usual one does.
    margins: Option<String>,
    /// What `bench run` printed of the base.
    noise: String,
}

/// Runs everything and prints the log.
pub(super) fn run(plan: &Plan<'_>, binary: &Path) -> Result<()> {
    let world = World::up(2, 1)?;
    let directory = tempfile::tempdir()?;
    let gate = |(number, way): (usize, Way)| Gate {
        binary: binary.to_owned(),
        prefix: world.lab.options.prefix.clone(),
        base: directory.path().join(format!("{number}.json")),
        slice: plan.slice.to_owned(),
        way,
        margins: None,
        noise: String::new(),
    };
    let mut gates: Vec<Gate> = Way::ALL.into_iter().enumerate().map(gate).collect();
    let mut log = String::new();
    let mut wrong = 0;
    for gate in &mut gates {
        gate.measure_base()?;
        let document: Value = serde_json::from_slice(&fs::read(&gate.base)?)?;
        if log.is_empty() {
            log = format!("{}\n", machine(&document, plan.slice));
        }
        let _ = writeln!(log, "\n## `{}`\n\n```\n{}\n```", gate.way.words(), gate.noise.trim_end());
        let (said, red) = gate.identical(plan.gates)?;
        log.push_str(&said);
        wrong += red;
    }

    log.push_str(
        "\n## Slower paths\n\n| Made slower by | Measured with | Expected | Gate | As expected | It said |\n",
    );
    log.push_str("|---|---|---|---|---|---|\n");
    for slowdown in slower::ALL {
        let gate =
            gates.iter_mut().find(|gate| gate.way == slowdown.way).context("nothing measures that way")?;
        let (row, is_right) = gate.slower(slowdown, &world)?;
        wrong += usize::from(!is_right);
        let way = gate.way.words();
        let _ = writeln!(log, "| {} | `{way}` | {} | {row} |", slowdown.what, slowdown.expected.words());
    }
    let gate = gates.iter().find(|gate| gate.way == Way::All).context("nothing measures all")?;
    let by_hand = by_hand::compare(&world, &gate.base);
    let by_hand = by_hand.unwrap_or_else(|error| format!("The ratio of iperf3 was not compared: {error:#}."));
    let _ = writeln!(log, "\n## By hand\n\n{by_hand}");
    ui::line(&log);
    if let Some(path) = plan.log {
        write_log(path, &log)?;
    }
    if wrong > 0 {
        bail!("{wrong} gates were not as expected");
    }
    Ok(())
}

impl Gate {
    /// Measures the base, and again where no gate could decide by it.
    fn measure_base(&mut self) -> Result<()> {
        for number in 1..=BASES {
            ui::note(&format!(
                "measuring the base and its noise: {}, {number} of {BASES} at most",
                self.way.words()
            ));
            if self.base.exists() {
                fs::remove_file(&self.base)?;
            }
            self.noise = self.measure()?;
            if !self.noise.contains(DECIDES_NOTHING) {
                break;
            }
        }
        self.margins = margins(&self.noise);
        Ok(())
    }

    /// Gates of identical code: how they ended, in words, and how many of them were red.
    fn identical(&mut self, gates: u32) -> Result<(String, usize)> {
        let what = format!("identical code: {}", self.way.words());
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let (mut red, mut with) = (Vec::new(), Vec::new());
        for number in 1..=gates {
            if number % GATES_OF_A_BASE == 1 {
                if number > 1 {
                    self.measure_base()?;
                }
                with.push(self.margins.clone().unwrap_or_else(|| "5%".to_owned()));
            }
            let told = self.decide(&[])?;
            ui::note(&format!(
                "gate {number} of {gates} of {what}: {}: {}",
                outcome(told.code),
                told.summary
            ));
            *counts.entry(outcome(told.code)).or_default() += 1;
            if told.code == Some(2) {
                red.push(told.summary);
            }
        }
        let counts: Vec<String> =
            counts.into_iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let mut said = format!(
            "\nGates of identical code: {gates} ({}), against {} bases with the margins that these name (`{}`).\n",
            counts.join(", "),
            with.len(),
            with.join("`, `"),
        );
        for summary in &red {
            let _ = writeln!(said, "\n- RED: {summary}");
        }
        Ok((said, red.len()))
    }

    /// A gate of a path that was made slower: the end of its row, and whether all is as expected.
    fn slower(&mut self, slowdown: &Slowdown, world: &World) -> Result<(String, bool)> {
        let mut attempt = 1;
        loop {
            ui::note(&format!("gate of a slower path: {}", slowdown.what));
            let undo = match slowdown.make(world)? {
                Err(why) => return Ok((format!("not made here: {why} | - | "), true)),
                Ok(undo) => undo,
            };
            let told = self.decide(slowdown.before)?;
            drop(undo);
            let (is_right, outcome) = (is_as_expected(slowdown.expected, &told), outcome(told.code));
            ui::note(&format!("{outcome}: {}", told.summary));
            if is_right || told.code != Some(3) || attempt == ATTEMPTS {
                let attempts = if attempt == 1 { String::new() } else { format!(", attempt {attempt}") };
                let said = told.summary.replace('|', "/");
                let as_expected = if is_right { "yes" } else { "NO" };
                return Ok((format!("{outcome}{attempts} | {as_expected} | {said}"), is_right));
            }
            attempt += 1;
            self.measure_base()?;
        }
    }

    /// A result of twenty rounds; what `bench run` prints of it.
    fn measure(&self) -> Result<String> {
        let mut tool = self.tool(&[]);
        tool.args(["bench", "run", "--scenario", "vxlan-v4", "--only", self.way.only(), "--prefix"]).args([
            &self.prefix,
            "--slice",
            &self.slice,
            "--output",
        ]);
        command::capture(tool.arg(&self.base))
    }

    /// Measures and decides; with words in front of the command, such as another program that starts it.
    fn decide(&self, before: &[&str]) -> Result<Told> {
        let mut tool = self.tool(before);
        tool.args(["bench", "gate", "--prefix", &self.prefix, "--format", "json", "--baseline"])
            .arg(&self.base);
        if let Some(margins) = &self.margins {
            tool.args(["--max-regression", margins]);
        }
        told(&mut tool)
    }

    /// The tool, started by these words and those of its way.
    fn tool(&self, before: &[&str]) -> Command {
        let mut words = before.iter().chain(self.way.before());
        let Some(first) = words.next() else { return command::program(&self.binary) };
        let mut tool = command::program(first);
        tool.args(words).arg(&self.binary);
        tool
    }
}

/// The margins with which a gate decides, as `bench run` prints them.
fn margins(noise: &str) -> Option<String> {
    noise.lines().find_map(|line| line.trim().strip_prefix("--max-regression ")).map(str::to_owned)
}

fn told(tool: &mut Command) -> Result<Told> {
    let output = tool.output().context("cannot run the tool")?;
    let code = output.status.code();
    let Ok(document) = serde_json::from_slice::<Value>(&output.stdout) else {
        // An error is a verdict as well: it cannot be decided.
        let said = String::from_utf8_lossy(&output.stderr);
        let summary = said.lines().last().unwrap_or_default().to_owned();
        return Ok(Told { code, summary, causes: Vec::new() });
    };
    let facts = document.get("facts").and_then(Value::as_array).into_iter().flatten();
    let text = |fact: &Value| Some(fact.get("text")?.as_str()?.to_owned());
    Ok(Told {
        code,
        summary: document.get("summary").and_then(Value::as_str).unwrap_or_default().to_owned(),
        causes: facts.filter_map(text).collect(),
    })
}

fn outcome(code: Option<i32>) -> &'static str {
    match code {
        Some(0) => "passed",
        Some(1) => "warned",
        Some(2) => "red",
        Some(3) => "undecided",
        Some(_) | None => "broken",
    }
}

fn is_as_expected(expected: Expected, told: &Told) -> bool {
    let names = |words: &str| told.causes.iter().any(|cause| cause.contains(words));
    match expected {
        Expected::Red(words) => told.code == Some(2) && names(words),
        Expected::NotPassed(words) => matches!(told.code, Some(1..=3)) && names(words),
        Expected::NotRed => matches!(told.code, Some(0 | 1 | 3)),
    }
}

/// On what it was run.
fn machine(document: &Value, slice: &str) -> String {
    let of = |name: &str| {
        let value = document.pointer(&format!("/runs/0/machine/{name}"));
        value.map_or("unknown".to_owned(), |value| value.as_str().map_or(value.to_string(), str::to_owned))
    };
    let release = of("kernel");
    // What follows is of who built it.
    let release = release.split('-').next().unwrap_or_default();
    format!("Kernel {release}, {} processors ({}), slices of {slice}.", of("cores"), of("cpu"))
}

/// Puts the log in its place in the document.
fn write_log(path: &Path, log: &str) -> Result<()> {
    const MARK: &str = "<!-- log of `cargo xtask bench --only gate` -->\n";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (before, _) =
        text.split_once(MARK).with_context(|| format!("{} has no place for it", path.display()))?;
    fs::write(path, format!("{before}{MARK}\n{log}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margins_of_a_noisy_machine_are_taken_over() {
        let noise = "A gate decides on this machine with the margins below\n  --max-regression throughput=14%,cpu_per_gbit=17%\n";
        assert_eq!(margins(noise).as_deref(), Some("throughput=14%,cpu_per_gbit=17%"));
        assert_eq!(margins("facts: drops 0"), None);
    }

    #[test]
    fn a_slowdown_is_named_and_a_missing_core_is_no_slowdown() {
        let told =
            |code| Told { code: Some(code), summary: String::new(), causes: vec!["GSO off on a".to_owned()] };
        for (expected, right) in [
            (Expected::Red("GSO"), [false, false, true, false]),
            (Expected::Red("TSO"), [false; 4]),
            (Expected::NotPassed("GSO"), [false, true, true, true]),
            (Expected::NotRed, [true, true, false, true]),
        ] {
            let found = [0, 1, 2, 3].map(|code| is_as_expected(expected, &told(code)));
            assert_eq!(found, right, "{}", expected.words());
        }
        let broken = Told { code: None, summary: String::new(), causes: Vec::new() };
        assert!(!is_as_expected(Expected::NotRed, &broken));
    }
}
