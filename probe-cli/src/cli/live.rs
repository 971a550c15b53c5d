//! What every live command does: enter the namespace, check privileges, start the engine, give privileges up, stop
//! on a signal.

use std::{
    cell::Cell,
    fs,
    future::Future,
    io::{self, IsTerminal as _},
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{confine, mtu::PeerProber};
use crate::{
    engine::{Engine, EngineError, EngineOptions, HostOptions},
    leftovers::{self, Reach, RunDirectory},
    model::Model,
    netns::{self, Namespace},
    privilege,
    report::colour,
    sample::Frame,
};

/// What the global options say.
#[derive(Debug)]
pub(super) struct Context {
    /// `--netns`.
    pub(super) netns: Option<String>,
    /// `--host-root`.
    pub(super) host_root: Option<PathBuf>,
    /// The node was looked for in another network namespace than the one that this was started in.
    pub(super) is_elsewhere: Cell<bool>,
    /// `--cri-socket`.
    pub(super) cri_socket: Option<PathBuf>,
    /// `--no-color`.
    pub(super) no_color: bool,
}

/// Something that the user named is not there.
#[derive(Debug, Error)]
pub(super) enum NotThere {
    /// `--host-root`.
    #[error(
        "--host-root {}: {why}; give the directory that the node's root directory is mounted on",
        path.display()
    )]
    HostRoot {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `--cri-socket`.
    #[error(
        "--cri-socket {}: {why}; give the path of the runtime's socket as it is here, such as \
         /run/k3s/containerd/containerd.sock",
        path.display()
    )]
    CriSocket {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a path cannot be what it should be; none when it is.
fn trouble(path: &Path, what: &str, is_it: impl FnOnce(&fs::Metadata) -> bool) -> Option<String> {
    match fs::metadata(path) {
        Ok(found) if is_it(&found) => None,
        Ok(_) => Some(format!("this is not a {what}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("there is no such {what}")),
        Err(error) => Some(format!("cannot look at it: {error}")),
    }
}

impl Context {
    /// Whether everything is there that the user named. Before anything is done, whatever the command.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(path) = &self.host_root
            && let Some(why) = trouble(path, "directory", fs::Metadata::is_dir)
        {
            return Err(NotThere::HostRoot { path: path.clone(), why }.into());
        }
        if let Some(path) = &self.cri_socket
            && let Some(why) = trouble(path, "socket", |found| found.file_type().is_socket())
        {
            return Err(NotThere::CriSocket { path: path.clone(), why }.into());
        }
        if let Some(name) = &self.netns {
            netns::open(name)?;
        }
        Ok(())
    }

    /// Puts the process into the asked network namespace: the one that is named, else the one of the node whose files were
    /// given. The process has one thread here.
    pub(super) fn enter(&self) -> anyhow::Result<()> {
        if let Some(name) = &self.netns {
            self.go_to(&netns::open(name)?)?;
        } else if let Some(root) = &self.host_root
            && let Ok(node) = netns::open(&root.join("proc/1/ns/net").to_string_lossy())
            && node.identity().ok() != netns::current_identity().ok()
        {
            // A tree of files only has no such process.
            netns::enter(&node)?;
        }
        Ok(())
    }

    /// Puts the process into a network namespace that somebody chose.
    pub(super) fn go_to(&self, namespace: &Namespace) -> anyhow::Result<()> {
        let here = netns::current_identity().ok();
        netns::enter(namespace)?;
        self.is_elsewhere.set(netns::current_identity().ok() != here);
        Ok(())
    }

    /// Where the node's files and sockets are. Those of the machine are another node's when this one was looked for in a
    /// network namespace beside the machine's own, unless somebody says which files are its own.
    pub(super) fn host(&self) -> HostOptions {
        HostOptions {
            root: self.root().to_owned(),
            is_node: self.host_root.is_some() || !self.is_elsewhere.get(),
            cri_socket: self.cri_socket.clone(),
        }
    }

    /// Where the node's files are.
    pub(super) fn root(&self) -> &Path {
        self.host_root.as_deref().unwrap_or(Path::new("/"))
    }

    /// Where runs note their filters.
    pub(super) fn notes(&self) -> RunDirectory {
        RunDirectory::new(self.host_root.as_deref())
    }

    /// True when colour is unwanted, see <https://no-color.org>.
    pub(super) fn plain(&self) -> bool {
        self.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
    }

    /// A table as stdout takes it: with colour on a terminal, unless that is unwanted.
    pub(super) fn paint(&self, table: String) -> String {
        painted(table, self.is_coloured())
    }

    /// Whether stdout takes colour.
    pub(super) fn is_coloured(&self) -> bool {
        !self.plain() && io::stdout().is_terminal()
    }

    /// What is looked at, for a title: what the user called it, else the node's host name.
    pub(super) fn node(&self, hostname: Option<&str>) -> String {
        self.netns.as_deref().or(hostname).unwrap_or("this node").to_owned()
    }
}

/// A table, with colour if that is wanted.
pub(super) fn painted(table: String, is_coloured: bool) -> String {
    if is_coloured { colour::coloured(&table) } else { table }
}

/// Runs `work` on this thread, in this thread's network namespace.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?
        .block_on(work)
}

/// Checks privileges, sweeps what a killed run left, attaches, and gives up what is not needed from here on. None when the
/// user or the system asked us to stop meanwhile: then nothing is attached.
///
/// A signal that comes while programs are being attached is answered right after: [`Engine::start`] attaches without
/// waiting for anything, so that the select below ends it either before or behind that.
pub(super) async fn start(options: EngineOptions, stop: &mut Stop) -> anyhow::Result<Option<Engine>> {
    tokio::select! {
        biased;
        engine = attach(options) => engine.map(Some),
        () = stop.asked() => Ok(None),
    }
}

async fn attach(options: EngineOptions) -> anyhow::Result<Engine> {
    privilege::check_attach()?;
    sweep(&options.notes).await?;
    let engine = Engine::start(options).await?;
    privilege::give_up(confine::entering())?;
    Ok(engine)
}

/// Removes what killed runs left, and says what else is there.
pub(super) async fn sweep(notes: &RunDirectory) -> anyhow::Result<()> {
    let swept = leftovers::sweep(notes, Reach::Noted).await.context("cannot look for leftovers")?;
    if swept.removed > 0 {
        tracing::warn!("removed {} filters and qdiscs left by a killed run", swept.removed);
    }
    for unknown in &swept.unknown {
        tracing::warn!("a run record cannot be read; its filters, if any, are left alone: {unknown}");
    }
    if !swept.living.is_empty() {
        tracing::info!("{}: they belong to a live run, perhaps in a container", swept.living);
    }
    // A run that is attaching will have noted its filters in a moment.
    if !swept.left.is_empty() && !swept.attaching {
        tracing::warn!(
            "{}: of a run in a container, or left by a killed run; `overlay-probe cleanup` removes those of killed runs",
            swept.left
        );
    }
    Ok(())
}

/// The next frame, with what probes came to until then: they go on while it is waited for. Dropping the future loses nothing.
pub(super) async fn tick(engine: &mut Engine, probes: &mut Option<PeerProber>) -> Result<Frame, EngineError> {
    let Some(probes) = probes else { return engine.tick().await };
    let mut frame = tokio::select! {
        biased;
        frame = engine.tick() => frame?,
        never = probes.go_on() => match never {},
    };
    frame.sample.peer_probes = probes.read();
    Ok(frame)
}

/// Has the peers of this model probed from now on, if any are.
pub(super) fn follow(probes: &mut Option<PeerProber>, model: &Model) {
    if let Some(probes) = probes {
        probes.follow(model);
    }
}

/// Takes everything off; asked to stop once more, it does not wait for the removal of qdiscs.
pub(super) async fn end(engine: Engine, stop: &mut Stop) {
    tokio::select! {
        biased;
        () = engine.stop() => {}
        () = stop.asked() => {}
    }
}

/// The signals by which the user or the system asks us to stop. They are caught from the moment that this exists: made
/// before anything is attached, it keeps their default action, death, from leaving filters behind.
pub(super) struct Stop([Signal; 4]);

impl Stop {
    /// Catches the signals. Must be called inside a runtime.
    pub(super) fn catch() -> anyhow::Result<Self> {
        let caught = |kind, name| signal(kind).with_context(|| format!("cannot catch {name}"));
        Ok(Self([
            caught(SignalKind::terminate(), "SIGTERM")?,
            caught(SignalKind::interrupt(), "SIGINT")?,
            caught(SignalKind::hangup(), "SIGHUP")?,
            caught(SignalKind::quit(), "SIGQUIT")?,
        ]))
    }

    /// Resolves when a file that is still being written is to be left as it is: when one of them comes, or a moment after the first.
    pub(super) async fn overdue(&mut self, was_asked: bool) {
        const MOMENT: Duration = Duration::from_millis(800);
        tokio::select! {
            () = self.asked() => {}
            () = tokio::time::sleep(MOMENT), if was_asked => {}
        }
    }

    /// Resolves when one of them has come.
    pub(super) async fn asked(&mut self) {
        let Self([terminate, interrupt, hangup, quit]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}
