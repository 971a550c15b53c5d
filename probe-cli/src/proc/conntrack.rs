//! Reads connection tracking: its sysctls, and `/proc/net/stat/nf_conntrack`, a row of hexadecimal numbers per CPU below a row
//! of names.

use super::file;
use crate::{
    facts::counters::{ConntrackCounters, ConntrackEvents},
    observed::Observed,
};

/// Reads connection tracking of the calling thread's network namespace; absent where the module is not loaded.
pub fn conntrack() -> Observed<ConntrackCounters> {
    let read = |name: &str| file::number(&format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
    let (count, max) = (read("count"), read("max"));
    if matches!((&count, &max), (Observed::Absent, Observed::Absent)) {
        return Observed::Absent;
    }
    Observed::Value(ConntrackCounters {
        count,
        max,
        buckets: read("buckets"),
        events: file::parsed("/proc/thread-self/net/stat/nf_conntrack", events),
    })
}

/// A column, by the kernel's name of it, and where it goes.
type Column = (&'static str, fn(&mut ConntrackEvents) -> &mut Option<u64>);

/// Columns that were replaced by others have other names.
const COLUMNS: [Column; 10] = [
    ("found", |events| &mut events.found),
    ("invalid", |events| &mut events.invalid),
    ("insert", |events| &mut events.insert),
    ("insert_failed", |events| &mut events.insert_failed),
    ("drop", |events| &mut events.drop),
    ("early_drop", |events| &mut events.early_drop),
    ("icmp_error", |events| &mut events.error),
    ("search_restart", |events| &mut events.search_restart),
    ("clashres", |events| &mut events.clash_resolved),
    ("chainlength", |events| &mut events.chain_too_long),
];

fn events(text: &str) -> Result<ConntrackEvents, String> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().ok_or("it is empty")?.split_ascii_whitespace().collect();
    let mut found = ConntrackEvents::default();
    for line in lines {
        let mut values = line.split_ascii_whitespace();
        for name in &names {
            let value = values.next().ok_or("a row has not as many columns as there are names")?;
            let value =
                u32::from_str_radix(value, 16).ok().ok_or_else(|| format!("{name} is not a number"))?;
            if let Some((_, field)) = COLUMNS.iter().find(|(known, _)| known == name) {
                let field = field(&mut found);
                *field = Some(field.unwrap_or(0).saturating_add(value.into()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux 6.18, two CPUs; the second row with numbers of the test's own.
    const NEW: &str = include_str!("testdata/nf_conntrack");

    #[test]
    fn the_sum_of_all_cpus_by_name() {
        let mut rows: Vec<String> = NEW.lines().map(str::to_owned).collect();
        assert_eq!(rows.len(), 3);
        let counted: Vec<String> = (0..17).map(|column| format!("{column:08x}")).collect();
        rows.extend([counted.join(" "), counted.join(" ")]);
        let text = rows.join("\n");
        let expected = ConntrackEvents {
            clash_resolved: Some(2),
            found: Some(4),
            invalid: Some(8),
            chain_too_long: Some(14),
            insert: Some(16),
            insert_failed: Some(18),
            drop: Some(20),
            early_drop: Some(22),
            error: Some(24),
            search_restart: Some(32),
        };
        assert_eq!(events(&text), Ok(expected));
        // Linux 5.4: other columns in two places.
        let old = text.replace("clashres", "searched").replace("chainlength", "delete_list");
        assert_eq!(
            events(&old),
            Ok(ConntrackEvents { clash_resolved: None, chain_too_long: None, ..expected })
        );
    }

    #[test]
    fn nonsense_is_an_error_and_nothing_is_not_zero() {
        for text in ["", "found drop\n1\n", "found\nx\n", "found\n100000000\n"] {
            assert!(events(text).is_err(), "{text:?}");
        }
        assert_eq!(events("found drop\n"), Ok(ConntrackEvents::default()));
    }
}
