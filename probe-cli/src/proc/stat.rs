//! Parses `/proc/stat`: a line for all processors together and one for each, of numbers whose columns have no names.

use std::collections::BTreeMap;

use super::file;
use crate::{facts::counters::CpuCounters, observed::Observed};

/// Reads what the processors spent their time on.
pub fn cpu() -> Observed<CpuCounters> {
    file::parsed("/proc/stat", stat)
}

/// The same of each of them, by its number.
pub fn each_cpu() -> Observed<BTreeMap<u32, CpuCounters>> {
    file::parsed("/proc/stat", each)
}

fn name(line: &str) -> &str {
    line.split_ascii_whitespace().next().unwrap_or_default()
}

/// The number of the processor that a line is of.
fn number(line: &str) -> Option<u32> {
    name(line).strip_prefix("cpu")?.parse().ok()
}

fn stat(text: &str) -> Result<CpuCounters, String> {
    let all = text.lines().find(|line| name(line) == "cpu").ok_or("it has no line of all processors")?;
    let cpus = text.lines().filter_map(number).count();
    counters(all, u32::try_from(cpus).unwrap_or(u32::MAX))
}

fn each(text: &str) -> Result<BTreeMap<u32, CpuCounters>, String> {
    let of = |line| number(line).map(|number| Ok((number, counters(line, 1)?)));
    text.lines().filter_map(of).collect()
}

/// Of one line.
fn counters(line: &str, cpus: u32) -> Result<CpuCounters, String> {
    let numbers: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .map(|word| {
            word.parse()
                .ok()
                .ok_or_else(|| format!("{:?} is not a number", word.chars().take(40).collect::<String>()))
        })
        .collect::<Result<_, String>>()?;
    let at = |column: usize| {
        let needed = numbers.get(column).copied();
        needed.ok_or_else(|| format!("a line of processors has only {} columns", numbers.len()))
    };
    Ok(CpuCounters {
        cpus,
        user: at(0)?,
        nice: at(1)?,
        system: at(2)?,
        idle: at(3)?,
        iowait: at(4)?,
        irq: at(5)?,
        softirq: at(6)?,
        steal: at(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_processors_together() {
        // Linux 6.18, shortened.
        let text = "cpu  1059413 17 291018 9806323 11422 0 60208 70311 3 4\n\
            cpu0 533000 8 145000 4900000 5000 0 30000 35000 0 0\n\
            cpu1 526413 9 146018 4906323 6422 0 30208 35311 3 4\n\
            intr 1 2 3\ncpufreq 1\nsoftirq 1 2\n";
        let found = stat(text).unwrap();
        assert_eq!((found.cpus, found.nice, found.softirq, found.steal), (2, 17, 60208, 70311));
        assert_eq!(found.total(), 11_298_712);
        assert_eq!(found.busy(), 1_059_413 + 17 + 291_018 + 60_208);
        let cpus = each(text).unwrap();
        assert_eq!(cpus.keys().collect::<Vec<_>>(), [&0, &1]);
        assert_eq!((cpus[&1].cpus, cpus[&1].softirq, cpus[&1].steal), (1, 30208, 35311));
        assert!(each("cpu 1 2 3 4 5 6 7 8\ncpu0 1 2\n").unwrap_err().contains("only 2 columns"));
        for (text, expected) in [
            ("", "no line"),
            ("cpu0 1 2 3 4 5 6 7 8\n", "no line"),
            ("cpu 1 2 3\n", "only 3 columns"),
            ("cpu 1 2 3 4 x 6 7 8\n", "not a number"),
        ] {
            assert!(stat(text).unwrap_err().contains(expected), "{text}");
        }
        let own = cpu();
        assert!(own.value().is_some_and(|own| own.cpus > 0 && own.busy() > 0), "{own:?}");
    }
}
