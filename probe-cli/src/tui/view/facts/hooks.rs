//! Which eBPF programs are on a tunnel's devices, in words.

use super::Fact;
use crate::{
    model::{HookRow, Model, TunnelRow, hooks_of},
    text,
};

/// A fact for each hook that has programs, in the order in which they run.
pub(super) fn of_tunnel(row: &TunnelRow, model: &Model) -> Vec<Fact> {
    if let Some(why) = model.hooks.trouble() {
        return vec![("programs", format!("unknown: {}", text::escape(&why)), false)];
    }
    let rows: Vec<&HookRow> = hooks_of(model.hooks.rows(), &row.tunnel).collect();
    let hooks = rows.chunk_by(|one, next| (one.ifindex, one.hook) == (next.ifindex, next.hook));
    let names = std::iter::once("programs").chain(std::iter::repeat(""));
    names.zip(hooks).map(|(name, programs)| (name, hook(programs), false)).collect()
}

fn hook(programs: &[&HookRow]) -> String {
    let place = programs
        .first()
        .map_or_else(String::new, |first| format!("{} {}: ", text::escape(&first.device), first.hook.name()));
    let programs: Vec<String> = programs.iter().map(|row| program(row)).collect();
    format!("{place}{}", programs.join(", then "))
}

/// Ours are found under `Cost`; of others, the number is what `bpftool prog show id` takes.
fn program(row: &HookRow) -> String {
    let name = match row.name.as_deref() {
        None => "unknown".to_owned(),
        Some("") => "without a name".to_owned(),
        Some(name) => text::escape(name),
    };
    let whose = if row.is_own { "ours".to_owned() } else { format!("id {}", row.id) };
    let took = row.ns_per_run.map_or_else(|| "not timed".to_owned(), |ns| format!("{ns:.0} ns"));
    format!("{name} ({whose}) {took}")
}
