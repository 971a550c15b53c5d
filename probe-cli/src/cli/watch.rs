//! `watch`: headless rates.

use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::{
    args::{Format, WatchArgs},
    confine,
    live::{self, Context, Stop},
    mtu::PeerProber,
    pieces::write_line,
    writer::{Offered, Writer},
};
use crate::{
    ebpf::{AttachMode, Hook},
    engine::Engine,
    files,
    model::{EventStream, ExplainedRows, Model, ModelEvent, Timeline},
    report::{jsonl, table},
    text,
};

/// Events that are kept for a reader that is late.
const MOST_EVENTS: usize = 1000;

pub(super) fn run(context: &Context, args: &WatchArgs) -> anyhow::Result<()> {
    context.enter()?;
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let mut probes = PeerProber::open(args.send.probe_peers)?;
        let ready = args.ready_file.as_deref().map(Ready::prepare).transpose()?;
        let Some(mut engine) = live::start(args.probe.engine(context), &mut stop).await? else {
            return Ok(());
        };
        tracing::info!("counting on {}", hooks(&engine));
        if let Some(packets) = args.explain_other {
            engine.explain(packets)?;
        }
        if let Some(ready) = ready {
            ready.tell(&engine)?;
        }
        confine::after_start(&mut engine);
        tokio::select! {
            result = print(&mut engine, &mut probes, context, args) => result?,
            () = stop.asked() => {}
        }
        live::end(engine, &mut stop).await;
        Ok(())
    })
}

/// Prints until `--count` is reached or stdout is closed. A line that nobody has taken when the next but one is due is left
/// out, and the line after it says so: the numbers of a reader that is late stay new.
pub(super) async fn print(
    engine: &mut Engine,
    probes: &mut Option<PeerProber>,
    context: &Context,
    args: &WatchArgs,
) -> anyhow::Result<()> {
    let (format, is_coloured) = (args.format, context.is_coloured());
    let writer = Writer::start(move |(model, events): &(Arc<Model>, Vec<ModelEvent>), out| match format {
        Format::Jsonl => write_line(out, |line| serde_json::to_writer(line, &jsonl::document(model, events))),
        Format::Table => writeln!(out, "{}", live::painted(table::table(model, events), is_coloured)),
    });
    let mut writer = writer.context("cannot start the thread that prints")?;
    let mut timeline = Timeline::default();
    let mut stream = EventStream::default();
    let first = timeline.push_joined(engine.first(), engine.joined());
    live::follow(probes, &first);
    // What happened until a line that nobody took is in the next one, and so are the packets that it explains.
    let mut events = stream.next(&first);
    let mut explained = None;
    let (mut printed, mut left_out) = (0, 0_u64);
    while args.count.is_none_or(|count| printed < count) {
        let frame = live::tick(engine, probes).await?;
        let model = timeline.push_joined(frame, engine.joined());
        live::follow(probes, &model);
        events.extend(stream.next(&model));
        events.truncate(MOST_EVENTS);
        let model = after_left_out(model, left_out, explained.take());
        match writer.offer((Arc::clone(&model), events.clone())) {
            Offered::Taken => {
                (printed, left_out) = (printed + 1, 0);
                events.clear();
            }
            Offered::Late => {
                left_out += 1;
                explained.clone_from(&model.explained);
            }
            Offered::Ended => break,
        }
    }
    writer.end().await.context("cannot write to stdout")
}

/// The model, with a word about lines that were left out before it, and with the packets that they explained.
fn after_left_out(mut model: Arc<Model>, lines: u64, explained: Option<ExplainedRows>) -> Arc<Model> {
    if lines > 0 {
        let said = if lines == 1 { "1 line was".to_owned() } else { format!("{lines} lines were") };
        let Model { notes, explained: new, .. } = Arc::make_mut(&mut model);
        notes.push(format!("{said} dropped before this one: the reader of stdout is too slow"));
        *new = ExplainedRows::join(explained, new.take());
    }
    model
}

/// The file that tells scripts that counting has begun, and where. A temporary file beside it is made before anything is
/// attached and takes its name in one step: no link is followed and nobody's pipe is waited for, whatever is there under
/// that name.
struct Ready {
    path: PathBuf,
    file: NamedTempFile,
}

impl Ready {
    fn prepare(path: &Path) -> anyhow::Result<Self> {
        files::check_place(path).with_context(|| format!("cannot write {}", path.display()))?;
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(directory)
            // The mode is what is said, whatever the umask.
            .and_then(|file| {
                file.as_file().set_permissions(Permissions::from_mode(0o644))?;
                Ok(file)
            })
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn tell(self, engine: &Engine) -> anyhow::Result<()> {
        let Self { path, mut file } = self;
        let attach = match engine.mode() {
            AttachMode::Tcx => "tcx",
            AttachMode::Clsact => "clsact",
        };
        let interfaces: Vec<_> = engine.attached().into_iter().map(|(name, _)| name).collect();
        let text =
            serde_json::json!({ "pid": std::process::id(), "attach": attach, "interfaces": interfaces });
        writeln!(file, "{}", text::escape_json(text.to_string()))
            .and_then(|()| file.persist(&path).map(drop).map_err(|error| error.error))
            .with_context(|| format!("cannot write {}", path.display()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::explained::testdata;

    #[test]
    fn packets_of_a_line_that_was_left_out_are_explained_in_the_next() {
        let model = Arc::new(testdata::model());
        let rows = model.explained.clone().unwrap();
        let described = |model: &Model| model.explained.as_ref().map_or(0, |rows| rows.packets.len());
        assert!(described(&model) > 0);
        let both = after_left_out(Arc::clone(&model), 2, Some(rows.clone()));
        assert_eq!(described(&both), 2 * described(&model));
        assert_eq!(
            both.notes.last().unwrap(),
            "2 lines were dropped before this one: the reader of stdout is too slow"
        );
        // Explaining has ended meanwhile.
        let ended = Arc::new(Model { explained: None, ..Model::clone(&model) });
        assert_eq!(after_left_out(Arc::clone(&ended), 1, Some(rows.clone())).explained, Some(rows));
        assert_eq!(after_left_out(Arc::clone(&ended), 1, None).explained, None);
        assert!(Arc::ptr_eq(&after_left_out(Arc::clone(&model), 0, None), &model));
    }
}
