//! `mtu`: measures how large packets get to other nodes, prints it, and ends with the verdict's exit code.

mod watch;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write as _},
    net::IpAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;

pub(super) use self::watch::PeerProber;
use super::{
    args::{MtuArgs, ShowFormat},
    confine::{self, Changes},
    exit,
    live::{self, Context, Stop},
    show::NothingToShow,
};
use crate::{
    engine,
    model::{self, Model},
    mtu::{
        self, Judged, Learned, Path, Prober, Severity,
        wire::{self, Measured, Wire},
    },
    privilege,
    report::measured as report,
    text,
};

/// How often the line about what is done changes.
const PROGRESS: Duration = Duration::from_millis(100);

pub(super) fn run(context: &Context, args: &MtuArgs) -> anyhow::Result<ExitCode> {
    context.enter()?;
    confine::looking(context, Changes::Nothing)?;
    let code = live::block_on(async {
        let mut stop = Stop::catch()?;
        let host = context.host();
        let look = async { Ok::<_, anyhow::Error>(model::once(engine::look(&host).await?)) };
        let model = tokio::select! {
            model = look => model?,
            () = stop.asked() => return Ok(exit::UNKNOWN.into()),
        };
        let paths = mtu::plan(&model, &args.targets, &mut wire::route_mtu)?;
        if paths.is_empty() {
            return Err(NothingToShow::new(no_peers(&model)).into());
        }
        if args.dry_run {
            print(&match args.format {
                ShowFormat::Table => context.paint(report::planned(&paths, args.flows)),
                ShowFormat::Json => report::planned_json(&paths).context("cannot write JSON")?,
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        if args.watch {
            return watch::run(context, args, (&model, paths), &mut stop).await;
        }
        let judged = tokio::select! {
            judged = measure(&model, paths, args.flows, args.deadline) => judged?,
            () = stop.asked() => return Ok(exit::UNKNOWN.into()),
        };
        print(&match args.format {
            ShowFormat::Table => context.paint(report::table(&judged)),
            ShowFormat::Json => report::json(&judged).context("cannot write JSON")?,
        })?;
        Ok(ExitCode::from(code(judged.severity())))
    })?;
    Ok(code)
}

fn code(severity: Severity) -> u8 {
    match severity {
        Severity::Good => 0,
        Severity::Warning => exit::WARNING,
        Severity::Failure => exit::FAILURE,
        Severity::Unknown => exit::UNKNOWN,
    }
}

fn no_peers(model: &Model) -> &'static str {
    let inventory = &model.inventory;
    if inventory.tunnels.iter().any(|tunnel| tunnel.told.trouble().is_some()) {
        "nothing to measure: the peers of a WireGuard device could not be read; run with sudo, or give addresses"
    } else if !inventory.knows_all_peers() {
        "nothing to measure: this data plane keeps its peers in eBPF maps (Cilium, Calico eBPF), not in the kernel's tables; \
         give addresses of other nodes or of their pods"
    } else {
        "nothing to measure: no other node is known in this network namespace; give addresses, look at the node with --netns \
         NAME, or try it in a lab (overlay-probe lab up)"
    }
}

/// Opens sockets, gives up every privilege, and sends.
pub(super) async fn measure(
    model: &Model,
    paths: Vec<Path>,
    flows: u16,
    deadline: Duration,
) -> anyhow::Result<Judged> {
    let is_v6 = |path: &Path| path.address.is_ipv6();
    let wire = Wire::open(!paths.iter().all(is_v6), paths.iter().any(is_v6), flows)?;
    privilege::give_up_all()?;
    let targets = mtu::targets(&paths, flows);
    let mut progress = Progress::new(flows);
    let measured = wire.run(Prober::new(&targets, deadline), |prober| progress.show(prober)).await;
    progress.end();
    let Measured { outcomes, strays, took } = measured?;
    if strays > 0 {
        tracing::info!("{strays} answers came after their path was measured, or were about no probe");
    }
    let learned = learned(model, &paths);
    let mut outcomes = mtu::together(&outcomes, flows);
    let gone = gone(model, &paths, &BTreeSet::new());
    mtu::interrupt(model, &gone, &paths, &mut outcomes);
    Ok(Judged { flows, ..mtu::judge(paths, outcomes, took, learned) })
}

/// Devices of the paths that are gone since the node was looked at. Says so of those that are not in `said`.
fn gone(model: &Model, paths: &[Path], said: &BTreeSet<String>) -> BTreeSet<String> {
    let gone = match engine::interfaces_up() {
        Ok(up) => mtu::gone(model, &up, paths),
        Err(error) => {
            tracing::warn!("cannot read whether interfaces are still there: {error}");
            return said.clone();
        }
    };
    for device in gone.difference(said) {
        tracing::warn!("{} was deleted, set down or made again while it is probed", text::escape(device));
    }
    gone
}

/// Path MTUs that the kernel has learned since the node was looked at, to what was probed.
fn learned(model: &Model, paths: &[Path]) -> Vec<Learned> {
    let known = &model.snapshot.network;
    let addresses: BTreeSet<IpAddr> = paths.iter().map(|path| path.address).collect();
    let now = match engine::learned_path_mtus() {
        Ok(now) => now,
        Err(error) => {
            tracing::warn!("cannot read which path MTUs the kernel has learned: {error}");
            return Vec::new();
        }
    };
    let before = [&known.pmtu_ipv4, &known.pmtu_ipv6].into_iter().filter_map(|table| table.value());
    let before: BTreeSet<(IpAddr, u32)> =
        before.flat_map(|table| &table.rows).map(|row| (row.destination, row.mtu)).collect();
    now.iter()
        .filter(|row| addresses.contains(&row.destination) && !before.contains(&(row.destination, row.mtu)))
        .map(|row| Learned { destination: row.destination, mtu: row.mtu, expires_s: row.expires_s })
        .collect()
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

/// What is being done, on a terminal only.
struct Progress {
    is_shown: bool,
    what: &'static str,
    last: Option<Instant>,
}

impl Progress {
    fn new(flows: u16) -> Self {
        let what = if flows > 1 { "flows" } else { "paths" };
        Self { is_shown: io::stderr().is_terminal(), what, last: None }
    }

    fn show(&mut self, prober: &Prober) {
        if !self.is_shown || self.last.is_some_and(|last| last.elapsed() < PROGRESS) {
            return;
        }
        self.last = Some(Instant::now());
        let (done, all) = prober.progress();
        let trying = prober
            .latest()
            .map_or_else(String::new, |probe| format!(", trying {} bytes to {}", probe.size, probe.address));
        // Nobody to tell when the terminal is gone.
        let _ = write!(io::stderr(), "\r\x1b[Kmeasured {done} of {all} {}{trying}", self.what);
    }

    fn end(self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        use Severity::{Failure, Good, Unknown, Warning};
        assert_eq!([Good, Warning, Failure, Unknown].map(code), [0, 1, 2, 3]);
    }
}
