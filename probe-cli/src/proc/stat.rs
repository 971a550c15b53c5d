//! Parses `/proc/stat`: a line for all processors together and one for each, of numbers whose columns have no names.

use super::file;
use crate::{facts::counters::CpuCounters, observed::Observed};

/// Reads what the processors spent their time on.
pub fn cpu() -> Observed<CpuCounters> {
    file::parsed("/proc/stat", stat)
}

fn stat(text: &str) -> Result<CpuCounters, String> {
    let of = |line: &&str| line.split_ascii_whitespace().next().unwrap_or_default().to_owned();
    let is_one = |name: &str| name.strip_prefix("cpu").is_some_and(|rest| rest.parse::<u32>().is_ok());
    let all = text.lines().find(|line| of(line) == "cpu").ok_or("it has no line of all processors")?;
    let numbers: Vec<u64> = all
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
        needed.ok_or_else(|| format!("the line of all processors has only {} columns", numbers.len()))
    };
    let cpus = text.lines().filter(|line| is_one(&of(line))).count();
    Ok(CpuCounters {
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
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
