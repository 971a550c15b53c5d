//! The built binary, run as a user runs it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Patience, kernel, wait_for};

/// The binary under test: from `OVERLAY_PROBE_BIN`, else where `cargo build --release` puts it.
pub fn binary() -> PathBuf {
    env::var_os("OVERLAY_PROBE_BIN").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release/overlay-probe"),
        PathBuf::from,
    )
}

/// A process that ends with this, stopped or not.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the tool to its end.
pub fn run(args: &[&str]) -> Output {
    Command::new(binary()).args(args).stdin(Stdio::null()).output().unwrap()
}

/// The tool inside a network namespace, with an empty `/run` of its own; it keeps the id of the process.
fn apart(netns: &str) -> Command {
    apart_by(netns, &[])
}

fn apart_by(netns: &str, before: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/run/netns/{netns}"))
        .args(["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && exec \"$@\"", "sh"])
        .args(before)
        .arg(binary());
    command
}

/// Runs the tool to its end inside a network namespace, with a `/run` of its own, as in a container.
pub fn run_apart(netns: &str, args: &[&str]) -> Output {
    apart(netns).args(args).stdin(Stdio::null()).output().unwrap()
}

/// The capabilities that a container with the tool is given, as SECURITY.md lists them.
const OF_A_CONTAINER: &str = "-all,+bpf,+net_admin,+perfmon,+sys_admin,+sys_ptrace";

/// What comes before the tool to start it as a container with these capabilities and no others does. Before Linux 5.11 maps count
/// against `RLIMIT_MEMLOCK`, which must be raised.
fn contained() -> [String; 4] {
    let more = if kernel::is_before(5, 11) { ",+sys_resource" } else { "" };
    let bounds = format!("{OF_A_CONTAINER}{more}");
    [bounds, "--inh-caps".to_owned(), "-all".to_owned(), binary().to_string_lossy().into_owned()]
}

/// Runs the tool to its end with what a container with it is given.
pub fn run_contained(args: &[&str]) -> Output {
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set").args(contained()).args(args).stdin(Stdio::null()).output().unwrap()
}

/// What makes `setpriv` take every privilege away.
pub const NOBODY: [&str; 5] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

/// A copy of the tool that everybody may run, wherever the build directory is.
fn runnable() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("overlay-probe");
    fs::copy(binary(), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, path)
}

/// Runs the tool inside a namespace, with privileges as `setpriv` leaves them.
pub fn with_privileges(netns: &str, setpriv: &[&str], tool: &[&str]) -> Output {
    let (_directory, binary) = runnable();
    Command::new("ip")
        .args(["netns", "exec", netns, "setpriv"])
        .args(setpriv)
        .arg("--")
        .arg(binary)
        .args(tool)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A running `watch --format jsonl`.
pub struct Watch {
    child: Child,
    lines: Receiver<Value>,
    directory: TempDir,
}

impl Watch {
    /// Starts it on a node and waits until it counts.
    pub fn start(netns: &str) -> Self {
        Self::start_with(netns, &[])
    }

    /// The same with more arguments.
    pub fn start_with(netns: &str, more: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["--netns", netns]);
        Self::spawn(command, more)
    }

    /// Starts it with what a container with it is given, where the calling thread is.
    pub fn start_contained(more: &[&str]) -> Self {
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set").args(contained());
        Self::spawn(command, more)
    }

    /// The same in a mount namespace with a `/run` of its own, as in a container.
    pub fn start_apart(netns: &str, more: &[&str]) -> Self {
        Self::spawn(apart(netns), more)
    }

    /// The same, by way of a program before the tool: `unshare` with further namespaces.
    pub fn start_apart_in(netns: &str, before: &[&str], more: &[&str]) -> Self {
        Self::spawn(apart_by(netns, before), more)
    }

    fn spawn(mut command: Command, more: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let ready = directory.path().join("ready");
        let mut child = command
            .args(["watch", "--format", "jsonl", "--interval", "200ms", "--ready-file"])
            .arg(&ready)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                let value = serde_json::from_str(&line).expect("every line is a JSON object");
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let watch = Self { child, lines, directory };
        wait_for("the ready file", || watch.ready());
        watch
    }

    /// What the ready file says.
    pub fn ready(&self) -> Option<Value> {
        let text = std::fs::read(self.directory.path().join("ready")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next object.
    pub fn next(&self) -> Value {
        Patience::start().receive("watch", &self.lines)
    }

    /// The first object that `found` likes.
    pub fn until<T>(&self, what: &str, mut found: impl FnMut(&Value) -> Option<T>) -> T {
        wait_for(what, || found(&self.next()))
    }

    /// The state after all traffic has ended: the second of two objects with the same totals, both made after now.
    pub fn settled(&self) -> Value {
        let asked = OffsetDateTime::now_utc();
        let is_later =
            |value: &Value| OffsetDateTime::parse(value["time"].as_str().unwrap(), &Rfc3339).unwrap() > asked;
        // On a busy machine many lines may be on their way.
        let mut before = self.until("a new sample", |value| is_later(value).then(|| value.clone()));
        self.until("the counters to settle", |now| {
            let same = totals(now) == totals(&before);
            before = now.clone();
            same.then(|| now.clone())
        })
    }

    /// Ends it with a signal and returns its exit code, if it got to give one.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        send_signal(&self.child, signal);
        let status = wait_for("watch to end", || self.child.try_wait().unwrap());
        status.code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn totals(value: &Value) -> Vec<u64> {
    let mut totals = Vec::new();
    for tunnel in value["tunnels"].as_array().unwrap() {
        for direction in ["tx", "rx"] {
            totals.push(tunnel[direction]["skbs"].as_u64().unwrap());
            totals.push(tunnel[direction]["underlay"]["packets"].as_u64().unwrap_or(0));
        }
    }
    for vf in value["vfs"].as_array().unwrap() {
        totals.extend(["tx", "rx"].map(|direction| vf["wire"][direction]["packets"].as_u64().unwrap_or(0)));
    }
    totals
}

/// Sends a child a signal.
pub fn send_signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Whether lines before this one were left out, since the machine is slow.
pub fn is_after_left_out(value: &Value) -> bool {
    value["notes"].as_array().unwrap().iter().any(is_of_left_out)
}

fn is_of_left_out(note: &Value) -> bool {
    note.as_str().unwrap().contains("dropped before this one")
}

/// What is said of the node, and not of lines that were left out.
pub fn notes(value: &Value) -> Vec<&str> {
    let notes = value["notes"].as_array().unwrap().iter().filter(|note| !is_of_left_out(note));
    notes.filter_map(Value::as_str).collect()
}

/// The entry of `list` whose fields have these values.
pub fn entry<'a>(value: &'a Value, list: &str, fields: &[(&str, &str)]) -> Option<&'a Value> {
    value[list].as_array().unwrap().iter().find(|entry| {
        fields.iter().all(|(name, wanted)| entry[*name].as_str().is_some_and(|text| text == *wanted))
    })
}

/// A number of an entry.
pub fn number(entry: &Value, direction: &str, field: &str) -> u64 {
    entry[direction][field].as_u64().unwrap_or_else(|| panic!("no number {direction}.{field} in {entry}"))
}

/// The sum of a number over a list, for the entries that `belongs` takes.
pub fn sum(value: &Value, list: &str, direction: &str, field: &str, belongs: impl Fn(&Value) -> bool) -> u64 {
    let entries = value[list].as_array().unwrap().iter();
    entries.filter(|entry| belongs(entry)).map(|entry| number(entry, direction, field)).sum()
}

/// Reads what a child printed so far, to its end.
pub fn output(child: &mut Child) -> String {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// One sampling interval of a [`Watch`].
pub const INTERVAL: Duration = Duration::from_millis(200);

/// Pods and "other", and peers and "other", are all there is.
pub fn adds_up(value: &Value) {
    for direction in ["tx", "rx"] {
        for field in ["skbs", "packets", "inner_bytes", "outer_bytes", "oversize", "fragments"] {
            let total = sum(value, "tunnels", direction, field, |_| true);
            assert_eq!(sum(value, "pods", direction, field, |_| true), total, "pods {direction}.{field}");
            assert_eq!(sum(value, "peers", direction, field, |_| true), total, "peers {direction}.{field}");
        }
    }
}
