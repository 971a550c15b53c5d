//! What is exact and must not get worse: bytes of the kernel objects, instructions that the verifier goes through, bytes of the maps,
//! and the CPU of `watch` where it leaves its bound.

use std::fs;

use anyhow::{Context as _, Result};
use xtask::object::{self, KernelObject};

use super::super::spread::Spread;
use crate::{
    ebpf,
    ui::{self, Align},
};

/// By how much more than the base it may be: what another compiler or a field more makes of the same.
const SLACK: f64 = 0.1;
/// CPU of `watch` in percent of a core, on a node with 250 pods and 1,000 peers.
const MOST_CPU: f64 = 1.0;

/// One figure of both.
pub(super) struct Fact {
    what: String,
    /// None where the base does not have it.
    base: Option<f64>,
    new: f64,
    is_worse: bool,
}

impl Fact {
    fn counted(what: String, base: Option<f64>, new: f64) -> Self {
        let is_worse = base.is_some_and(|base| new > base * (1.0 + SLACK));
        Self { what, base, new, is_worse }
    }
}

/// Of the compiled objects, with this machine's kernel as the verifier. `old` has those of the base, none where it did not have one yet.
pub(super) fn objects(old: impl Fn(&KernelObject) -> Result<Option<Vec<u8>>>) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for object in object::ALL {
        let path = object.path();
        let new = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let base = old(object)?;
        let size = base.as_ref().map(|base| base.len() as f64);
        facts.push(Fact::counted(format!("{}.o, bytes", object.name), size, new.len() as f64));
        // An object that this version cannot load any more was made for another one.
        let base = base.as_deref();
        let before = base.and_then(|base| ebpf::verified(object, base).ok()).unwrap_or_default();
        for (program, count) in ebpf::verified(object, &new)? {
            let base = before.iter().find(|(name, _)| *name == program).map(|(_, count)| f64::from(*count));
            facts.push(Fact::counted(format!("{program}, verified instructions"), base, f64::from(count)));
        }
        if let Some(bytes) = ebpf::map_bytes(object, &new)? {
            let before = base.and_then(|base| ebpf::map_bytes(object, base).ok().flatten());
            let what = format!("{}.o, bytes of maps", object.name);
            facts.push(Fact::counted(what, before.map(|bytes| bytes as f64), bytes as f64));
        }
    }
    Ok(facts)
}

/// Of `watch`: its CPU in percent, which depends on the machine, so that the bound must be left in nine of ten rounds, and not by the
/// base as well; and the bytes of its maps.
pub(super) fn of_watch(old_cpu: &[f64], new_cpu: &[f64], old_maps: &[f64], new_maps: &[f64]) -> Vec<Fact> {
    let mut facts = Vec::new();
    let spread = |values: &[f64]| Spread::of(values.iter().copied());
    if let (Some(base), Some(new)) = (spread(old_cpu), spread(new_cpu)) {
        facts.push(Fact {
            what: "CPU of watch, % of a core".to_owned(),
            base: Some(base.median),
            new: new.median,
            is_worse: new.low > MOST_CPU && base.low <= MOST_CPU,
        });
    }
    if let (base, Some(new)) = (spread(old_maps), spread(new_maps)) {
        facts.push(Fact::counted(
            "maps of watch, bytes".to_owned(),
            base.map(|base| base.median),
            new.median,
        ));
    }
    facts
}

/// Prints them; false when one got worse.
pub(super) fn hold(facts: &[Fact]) -> bool {
    let number =
        |value: f64| if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    let heading = ["exact", "base", "new", ""].map(str::to_owned).to_vec();
    let rows = facts.iter().map(|fact| {
        let word = if fact.is_worse { "WORSE" } else { "" };
        let base = fact.base.map_or_else(|| "none".to_owned(), number);
        vec![fact.what.clone(), base, number(fact.new), word.to_owned()]
    });
    let rows: Vec<Vec<String>> = [heading].into_iter().chain(rows).collect();
    ui::line("");
    ui::table(&[Align::Left, Align::Right, Align::Right, Align::Left], &rows);
    facts.iter().all(|fact| !fact.is_worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worse(facts: &[Fact]) -> Vec<bool> {
        facts.iter().map(|fact| fact.is_worse).collect()
    }

    #[test]
    fn a_tenth_more_is_worse_and_what_is_new_is_not() {
        let counted = |base, new| Fact::counted(String::new(), base, new).is_worse;
        assert!(!counted(Some(100.0), 100.0) && !counted(Some(100.0), 109.0) && counted(Some(100.0), 111.0));
        assert!(!counted(Some(100.0), 20.0) && !counted(None, 1e9));
        assert!(!hold(&[Fact::counted(String::new(), Some(1.0), 2.0)]));
        assert!(hold(&[Fact::counted(String::new(), Some(1.0), 1.0)]) && hold(&[]));
    }

    #[test]
    fn cpu_is_worse_where_it_leaves_its_bound_and_the_base_did_not() {
        let watch = |old: f64, new: f64| worse(&of_watch(&[old; 3], &[new; 3], &[5.0], &[5.0]));
        assert_eq!(watch(0.5, 0.9), [false, false]);
        assert_eq!(watch(0.5, 1.2), [true, false]);
        // A machine on which both are beyond it says nothing.
        assert_eq!(watch(1.3, 1.4), [false, false]);
        // One wild round is chance.
        assert_eq!(worse(&of_watch(&[0.5; 3], &[0.5, 3.0, 3.0], &[5.0], &[6.0])), [false, true]);
        assert!(of_watch(&[], &[], &[], &[]).is_empty());
    }
}
