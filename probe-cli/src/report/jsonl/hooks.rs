//! The eBPF programs on a tunnel's devices.

use serde::Serialize;

use crate::{
    model::{HookRow, Model, Tunnel, fields, hooks_of},
    report::json::Metrics,
};

/// One of them, on one hook.
#[derive(Serialize)]
pub(super) struct Hooked<'a> {
    device: &'a str,
    ifindex: u32,
    hook: &'static str,
    id: u32,
    own: bool,
    /// Null where the kernel does not tell.
    name: Option<&'a str>,
    #[serde(flatten)]
    metrics: Metrics<'a, HookRow>,
}

/// Those of a tunnel; none where nobody looked, and where they could not be read.
pub(super) fn of<'a>(model: &'a Model, tunnel: &'a Tunnel) -> Option<Vec<Hooked<'a>>> {
    let rows = hooks_of(model.hooks.value()?, tunnel);
    Some(rows.map(Hooked::from).collect())
}

impl<'a> From<&'a HookRow> for Hooked<'a> {
    fn from(row: &'a HookRow) -> Self {
        Self {
            device: &row.device,
            ifindex: row.ifindex,
            hook: row.hook.name(),
            id: row.id,
            own: row.is_own,
            name: row.name.as_deref(),
            metrics: Metrics::new(&fields::HOOK, row),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{model::hooks::testdata, report::jsonl::line};

    #[test]
    fn programs_in_the_order_in_which_they_run() {
        let line = line(&testdata::model()).unwrap();
        assert!(!line.contains('\u{1b}'), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let programs = &value["tunnels"][0]["programs"];
        insta::assert_snapshot!(serde_json::to_string_pretty(programs).unwrap());
        crate::report::documented(programs, "# The JSON of `watch --format jsonl`");
    }
}
