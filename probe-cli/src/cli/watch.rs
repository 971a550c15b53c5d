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
    model::{EventStream, Model, ModelEvent, Timeline},
    report::{jsonl, table},
    sample::ToldOnce,
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
    // What happened until a line that nobody took is in the next one.
    let mut events = stream.next(&first);
    let mut untold = ToldOnce::default();
    let (mut printed, mut left_out) = (0, 0_u64);
    while args.count.is_none_or(|count| printed < count) {
        let mut frame = live::tick(engine, probes).await?;
        frame.sample.tell(untold);
        untold = frame.sample.told_once();
        let model = timeline.push_joined(frame, engine.joined());
        live::follow(probes, &model);
        events.extend(stream.next(&model));
        events.truncate(MOST_EVENTS);
        match writer.offer((with_note(model, left_out), events.clone())) {
            Offered::Taken => {
                (printed, left_out) = (printed + 1, 0);
                events.clear();
                untold = ToldOnce::default();
            }
            Offered::Late => left_out += 1,
            Offered::Ended => break,
        }
    }
    writer.end().await.context("cannot write to stdout")
}

/// The model, with a word about lines that were left out before it.
fn with_note(mut model: Arc<Model>, left_out: u64) -> Arc<Model> {
    if left_out > 0 {
        let lines = if left_out == 1 { "1 line was".to_owned() } else { format!("{left_out} lines were") };
        let notes = &mut Arc::make_mut(&mut model).notes;
        notes.push(format!("{lines} dropped before this one: the reader of stdout is too slow"));
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
