//! `watch`: headless rates.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::Context as _;

use super::{
    args::{Format, WatchArgs},
    live::{self, Context},
};
use crate::{
    ebpf::{AttachMode, Hook},
    engine::Engine,
    model::Model,
    report::{jsonl, table},
    text,
};

pub(super) fn run(context: &Context, args: &WatchArgs) -> anyhow::Result<()> {
    context.enter()?;
    live::block_on(async {
        let mut engine = live::start(args.probe.engine(context)).await?;
        tracing::info!("counting on {}", hooks(&engine));
        if let Some(path) = &args.ready_file {
            ready(path, &engine)?;
        }
        tokio::select! {
            result = print(&mut engine, args) => result?,
            result = live::stopped() => result?,
        }
        engine.stop().await;
        Ok(())
    })
}

/// Prints until `--count` is reached or stdout is closed.
pub(super) async fn print(engine: &mut Engine, args: &WatchArgs) -> anyhow::Result<()> {
    let mut printed = 0;
    while args.count.is_none_or(|count| printed < count) {
        let model = engine.tick().await?;
        write(&model, args.format, &mut io::stdout().lock())?;
        printed += 1;
    }
    Ok(())
}

fn write(model: &Model, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    let text = match format {
        Format::Jsonl => jsonl::line(model).context("cannot write JSON")?,
        Format::Table => table::table(model),
    };
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot write to stdout")
}

/// Tells scripts that counting has begun, and where.
fn ready(path: &Path, engine: &Engine) -> anyhow::Result<()> {
    let attach = match engine.mode() {
        AttachMode::Tcx => "tcx",
        AttachMode::Clsact => "clsact",
    };
    let interfaces: Vec<_> = engine.attached().into_iter().map(|(name, _)| name).collect();
    let text = serde_json::json!({ "pid": std::process::id(), "attach": attach, "interfaces": interfaces });
    fs::write(path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))
}

fn hooks(engine: &Engine) -> String {
    let names: Vec<_> = engine
        .attached()
        .into_iter()
        .map(|(name, hook)| {
            let role = match hook {
                Hook::Tunnel => "tunnel",
                Hook::Underlay => "underlay",
            };
            format!("{} ({role})", text::escape(&name))
        })
        .collect();
    names.join(", ")
}
