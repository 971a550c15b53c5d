//! `probe-ebpf/prebuilt/budget.toml`: what the kernel objects may cost, and what they cost.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, bail};
use overlay_probe::ebpf::{self, Programs};
use serde::Deserialize;
use xtask::{
    object::{self, KernelObject},
    tree,
};

use crate::{
    command,
    ui::{self, Align},
};

/// The whole file: by the objects' names.
type Budgets = BTreeMap<String, Budget>;

/// What one object may cost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Budget {
    /// Bytes of the object.
    object_size: u64,
    /// Instructions that the kernel's verifier goes through, of each program.
    verified_instructions: BTreeMap<String, u64>,
}

/// One cost beside its limit.
struct Cost {
    what: String,
    now: u64,
    limit: Option<u64>,
}

impl Cost {
    fn within(&self) -> bool {
        self.limit.is_some_and(|limit| self.now <= limit)
    }

    fn row(&self) -> Vec<String> {
        let limit = self.limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        let share =
            self.limit.filter(|&limit| limit > 0).map(|limit| format!("{} %", self.now * 100 / limit));
        let verdict = if self.within() { "" } else { "over budget" };
        vec![self.what.clone(), self.now.to_string(), limit, share.unwrap_or_default(), verdict.to_owned()]
    }
}

/// Prints what the object costs; fails when something costs more than it may.
pub(super) fn hold(object: &KernelObject, bytes: &[u8]) -> Result<()> {
    let path = tree::prebuilt().join("budget.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let budgets: Budgets = toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
    let budget = budgets
        .get(object.name)
        .with_context(|| format!("{} has no limits for {}.o", path.display(), object.name))?;
    let costs = budget.costs(object.name, bytes.len() as u64, &verified(object, bytes)?);
    let heading = ["cost", "now", "limit", "used", ""].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = [heading].into_iter().chain(costs.iter().map(Cost::row)).collect();
    ui::table(&[Align::Left, Align::Right, Align::Right, Align::Right, Align::Left], &rows);
    if costs.iter().all(Cost::within) {
        return Ok(());
    }
    bail!(
        "the kernel object costs more than {} allows: make it cheaper, or raise the limit and say why",
        path.display()
    )
}

impl Budget {
    fn costs(&self, object: &str, size: u64, verified: &[(String, u32)]) -> Vec<Cost> {
        let size = Cost { what: format!("{object}.o, bytes"), now: size, limit: Some(self.object_size) };
        let programs = verified.iter().map(|(program, count)| Cost {
            what: format!("{program}, verified instructions"),
            now: u64::from(*count),
            limit: self.verified_instructions.get(program).copied(),
        });
        [size].into_iter().chain(programs).collect()
    }
}

/// What the verifier of the running kernel says.
pub(crate) fn verified(object: &KernelObject, bytes: &[u8]) -> Result<Vec<(String, u32)>> {
    if !command::is_root() {
        ui::note("verified instructions are not counted: loading programs needs root");
        return Ok(Vec::new());
    }
    let counts = match object.name {
        name if name == object::DROPS.name => ebpf::verified_drop_instructions(bytes),
        name if name == object::ENCAP.name => ebpf::verified_encap_instructions(bytes),
        _ => ebpf::verified_instructions(bytes, programs(object)),
    };
    let counts = counts.with_context(|| format!("the kernel does not take {}.o", object.name))?;
    if counts.is_empty() {
        ui::note("verified instructions are not counted: kernels before 5.16 do not tell");
    }
    Ok(counts)
}

/// Bytes of its maps on this machine; none of an object whose maps are small and always the same, or where nothing can be loaded.
pub(crate) fn map_bytes(object: &KernelObject, bytes: &[u8]) -> Result<Option<u64>> {
    if object.name != object::PROBE.name || !command::is_root() {
        return Ok(None);
    }
    ebpf::map_bytes(bytes).map(Some).with_context(|| format!("the kernel does not take {}.o", object.name))
}

/// The programs that the tool attaches of an object.
fn programs(of: &KernelObject) -> Programs {
    if of.name == object::EXPLAIN.name { ebpf::EXPLAIN_PROGRAMS } else { ebpf::PROGRAMS }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(size: u64, program: &str, count: u32) -> bool {
        let budget: Budget =
            toml::from_str("object-size = 100\n[verified-instructions]\novp_tunnel_tx = 1000").unwrap();
        !budget.costs("probe", size, &[(program.to_owned(), count)]).iter().all(Cost::within)
    }

    #[test]
    fn what_costs_too_much_is_over() {
        assert!(!over(100, "ovp_tunnel_tx", 1000));
        assert!(over(101, "ovp_tunnel_tx", 1000));
        assert!(over(100, "ovp_tunnel_tx", 1001));
    }

    #[test]
    fn every_object_has_limits() {
        let text = fs::read_to_string(tree::prebuilt().join("budget.toml")).unwrap();
        let budgets: Budgets = toml::from_str(&text).unwrap();
        let named: Vec<&str> = budgets.keys().map(String::as_str).collect();
        let mut objects = object::ALL.map(|object| object.name);
        objects.sort_unstable();
        assert_eq!(named, objects);
    }

    #[test]
    fn a_program_without_a_limit_is_over() {
        assert!(over(100, "ovp_new", 1));
    }
}
