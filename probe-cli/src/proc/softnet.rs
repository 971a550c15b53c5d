//! Parses `/proc/net/softnet_stat`: a row of hexadecimal numbers per CPU, whose columns have no names.

use super::file;
use crate::{facts::counters::SoftnetCounters, observed::Observed};

/// Most CPUs that are read (`NR_CPUS` is at most 8192).
const MOST_CPUS: usize = 8192;

/// Reads the receive queues' counters of all CPUs that are online.
pub fn softnet() -> Observed<Vec<SoftnetCounters>> {
    file::parsed("/proc/thread-self/net/softnet_stat", softnet_stat)
}

fn softnet_stat(text: &str) -> Result<Vec<SoftnetCounters>, String> {
    let mut found = Vec::new();
    for (row, line) in (0_u32..).zip(text.lines()).take(MOST_CPUS) {
        let numbers = line.split_ascii_whitespace().map(|word| u32::from_str_radix(word, 16));
        let numbers: Vec<u32> = numbers
            .collect::<Result<_, _>>()
            .ok()
            .ok_or_else(|| format!("row {row} has something else than hexadecimal numbers"))?;
        let at = |column: usize| numbers.get(column).copied();
        let needed =
            |column| at(column).ok_or_else(|| format!("row {row} has only {} columns", numbers.len()));
        found.push(SoftnetCounters {
            cpu: at(12).unwrap_or(row),
            processed: needed(0)?,
            dropped: needed(1)?,
            time_squeeze: needed(2)?,
            received_rps: needed(9)?,
            flow_limit: needed(10)?,
            backlog: at(11),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_this_kernel_and_of_one_without_the_numbers_of_cpus() {
        // Linux 6.18, with CPU 1 offline.
        let new = "0000000f 00000002 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000004 00000005 00000006 00000000 00000000 00000000\n\
            ffffffff 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002 00000000 00000000\n";
        let first = SoftnetCounters {
            cpu: 0,
            processed: 15,
            dropped: 2,
            time_squeeze: 3,
            received_rps: 4,
            flow_limit: 5,
            backlog: Some(6),
        };
        let second =
            SoftnetCounters { cpu: 2, processed: u32::MAX, backlog: Some(0), ..SoftnetCounters::default() };
        assert_eq!(softnet_stat(new), Ok(vec![first, second]));
        // Linux 4.19 to 5.9.
        let old: String = new.lines().map(|line| line[..11 * 9 - 1].to_owned() + "\n").collect();
        let rows = softnet_stat(&old).unwrap();
        assert_eq!(rows[0], SoftnetCounters { backlog: None, ..first });
        assert_eq!((rows[1].cpu, rows[1].backlog), (1, None));
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        for text in ["\n", "0000000f 00000002\n", "0000000f x\n", "100000000\n"] {
            assert!(softnet_stat(text).is_err(), "{text:?}");
        }
        assert_eq!(softnet_stat(""), Ok(Vec::new()));
    }
}
