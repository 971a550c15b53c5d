//! A command of somebody else sends instead of us, such as iperf3: it is started at one end of the way, and another one that it needs at
//! the other. What arrives is read from the receiving device's counters, so that it may send whatever it likes; its own figures are not
//! asked for. Both end with the slice, and with this process.

use std::{
    collections::VecDeque,
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        prctl,
        signal::{Signal, killpg},
    },
    unistd::Pid,
};

use super::{
    far::{Counter, Ends, Far as _, GLANCE},
    remote::Remote,
    send::{LEAST_BYTES, Least, Sent, Timing, Window, rate},
};
use crate::{
    bench::{
        facts::Counts,
        result::Outside,
        wire::{Arrived, short},
    },
    netns::{self, Namespace},
};

/// A sender that ends at once is started again so often: the other end may not be ready.
const TRIES: u32 = 50;
/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes of what a command says of itself that are kept, the last ones.
const KEPT: usize = 2048;

/// A command that runs in a network namespace until this is dropped.
struct Running {
    child: Child,
    said: Arc<Mutex<VecDeque<u8>>>,
    /// The thread that it is of: it ends with this, and not before the command.
    anchor: Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>,
}

impl Running {
    /// In this network namespace, or in that of this process.
    fn start(words: Vec<String>, namespace: Option<&Arc<Namespace>>) -> io::Result<Self> {
        let (keep, kept) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let namespace = namespace.map(Arc::clone);
        let anchor = thread::spawn(move || {
            let entered = namespace.map_or(Ok(()), |namespace| netns::enter(&namespace));
            let started = entered.map_err(io::Error::other).and_then(|()| spawn(&words));
            let is_there = started.is_ok();
            // Who asked waits for it.
            let _ = tell.send(started);
            if is_there {
                // The kernel kills the command when the thread ends that has started it.
                let _ = kept.recv();
            }
        });
        let mut child = told.recv().map_err(|_gone| io::Error::other("the thread of a command ended"))??;
        let said = Arc::<Mutex<VecDeque<u8>>>::default();
        if let Some(stderr) = child.stderr.take() {
            let said = Arc::clone(&said);
            // Ends with the last who may write to it, for whom nobody waits.
            thread::spawn(move || keep_last(stderr, &said));
        }
        Ok(Self { child, said, anchor: Some((keep, anchor)) })
    }

    /// How it ended, in words; none while it runs.
    fn ended(&mut self) -> io::Result<Option<Ended>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<u8> = said.iter().copied().collect();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let last = said.lines().last().unwrap_or_default();
        let because = if last.is_empty() { String::new() } else { format!(": {}", short(last)) };
        Ok(Some(Ended { is_success: status.success(), words: format!("{status}{because}") }))
    }

    fn kill(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // All that it has started and that is still of its group. Gone already is as good.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

struct Ended {
    is_success: bool,
    words: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let start = Instant::now();
        self.kill(Signal::SIGTERM);
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < GRACE {
            thread::sleep(GLANCE / 10);
        }
        self.kill(Signal::SIGKILL);
        // It is dead, or cannot be waited for.
        let _ = self.child.wait();
        if let Some((keep, anchor)) = self.anchor.take() {
            drop(keep);
            let _ = anchor.join();
        }
    }
}

fn spawn(words: &[String]) -> io::Result<Child> {
    let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A group of its own: what it starts ends with it, and what is typed on the terminal is for us.
    command.process_group(0);
    // SAFETY: between fork and exec one system call is made, and nothing else.
    unsafe {
        command.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?));
    }
    command.spawn().map_err(|error| io::Error::new(error.kind(), format!("cannot start {program}: {error}")))
}

fn keep_last(mut from: ChildStderr, said: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0; 512];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 {
            break;
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(buffer.iter().take(read));
        let excess = said.len().saturating_sub(KEPT);
        said.drain(..excess);
    }
}

/// The words of a command, with what stands for something in its place: there is no shell.
fn words(command: &str, address: &str, seconds: u64) -> Vec<String> {
    let fill = |word: &str| word.replace("{address}", address).replace("{seconds}", &seconds.to_string());
    command.split_whitespace().map(fill).collect()
}

/// How long a command has to run.
fn seconds(timing: &Timing<'_>) -> u64 {
    timing.whole().as_secs() + 3
}

/// Has a command send for a slice in a lab; none when it is to stop. `received` reads how many bytes the receiving device has taken in.
pub(super) fn in_lab(
    outside: &Outside,
    ends: &Ends,
    timing: &Timing<'_>,
    received: &dyn Fn() -> io::Result<u64>,
) -> io::Result<Option<Sent>> {
    let words = |command: &str| words(command, &ends.address.to_string(), seconds(timing));
    let server = outside.server.as_deref();
    let server = server.map(|server| Running::start(words(server), Some(&ends.to))).transpose()?;
    let begun = Instant::now();
    let mut mark = || -> io::Result<Arrived> {
        let amount = received()?;
        let at_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Arrived { amount, at_us, cpu: None })
    };
    let start = || Running::start(words(&outside.client), Some(&ends.from));
    let window = window(&start, server, timing, &mut mark)?;
    // What the payload is only the command knows.
    Ok(window.map(|window| sent(&window, Counts { drops: Some(0), ..Counts::default() })))
}

/// The same to another machine, where its user has started what it needs: nothing is ever started there by who measures.
pub(super) fn to_machine(
    outside: &Outside,
    remote: &mut Remote,
    timing: &Timing<'_>,
) -> io::Result<Option<Sent>> {
    remote.begin_device()?;
    let address = remote.address().to_string();
    let start = || Running::start(words(&outside.client, &address, seconds(timing)), None);
    let Some(window) = window(&start, None, timing, &mut || remote.mark())? else { return Ok(None) };
    let (_, counts) = remote.end()?;
    Ok(Some(sent(&window, counts)))
}

fn sent(window: &Window, counts: Counts) -> Sent {
    Sent {
        seconds: window.seconds,
        bits_per_s: rate(window.arrived as f64 * 8.0, window.far_seconds),
        cpu: window.cpu,
        counts,
        ..Sent::default()
    }
}

/// Starts what sends, and reads what has arrived at both ends of the slice. Everything that runs is ended with it.
fn window(
    start: &dyn Fn() -> io::Result<Running>,
    mut server: Option<Running>,
    timing: &Timing<'_>,
    mark: &mut dyn FnMut() -> io::Result<Arrived>,
) -> io::Result<Option<Window>> {
    let seconds = seconds(timing);
    let mut tries = 0;
    let mut client = loop {
        let mut client = start()?;
        if !timing.nap(GLANCE) {
            return Ok(None);
        }
        tries += 1;
        match client.ended()? {
            Some(ended) if tries < TRIES && !ended.is_success => {
                is_running(server.as_mut(), "--load-server", seconds)?;
            }
            Some(_) | None => break client,
        }
    };
    let mut mark = || -> io::Result<Arrived> {
        is_running(Some(&mut client), "--load", seconds)?;
        is_running(server.as_mut(), "--load-server", seconds)?;
        mark()
    };
    timing.look(&Counter::default(), &mut mark, Least { far: LEAST_BYTES, ..Least::default() })
}

/// An error if it is there and has ended.
fn is_running(running: Option<&mut Running>, option: &str, seconds: u64) -> io::Result<()> {
    let ended = match running {
        Some(running) => running.ended()?,
        None => None,
    };
    match ended {
        None => Ok(()),
        Some(Ended { is_success: true, .. }) => Err(io::Error::other(format!(
            "the command of {option} ended before the slice did: let it run for {seconds} s ({{seconds}} stands for that)"
        ))),
        Some(Ended { words, .. }) => {
            Err(io::Error::other(format!("the command of {option} ended ({words})")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_text_and_no_shell_looks_at_them() {
        let found = words("iperf3  -c {address} -t {seconds} $(reboot) ;x", "fd00::1", 4);
        assert_eq!(found, ["iperf3", "-c", "fd00::1", "-t", "4", "$(reboot)", ";x"]);
        assert!(words(" ", "", 1).is_empty());
    }
}
