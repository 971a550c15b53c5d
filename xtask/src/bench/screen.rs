//! What `top` takes on a large terminal, on a node with 250 pods and many peers that carries traffic: CPU while nobody touches it, with
//! the checks on every sample, and CPU of each frame that a key makes it draw.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{ChildStdin, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    Row,
    spread::Spread,
    watch,
    world::{Running, World},
};
use crate::{command, ui};

/// Columns and rows.
const SIZE: (u16, u16) = (200, 60);
/// How long CPU is measured at a time.
const SECOND: Duration = Duration::from_secs(1);
/// Keys of a round, and the time between two: none waits for the frame of another.
const KEYS: u32 = 100;
const BETWEEN: Duration = Duration::from_millis(10);
/// Tabs by the key that leads to them.
const TABS: [(&str, &str); 4] = [("1", "Overview"), ("3", "Peers"), ("4", "Pods"), ("7", "Health")];

pub(super) fn measure(rounds: u32, binary: &Path, peers: u32) -> Result<Vec<Row>> {
    let world = World::busy(peers)?;
    let load = world.load()?;
    let mut screen = Screen::start(binary, &world.node(1), peers)?;
    ui::note(&format!("looking at it for {rounds} s, then pressing keys"));
    let idle = (0..rounds).map(|_| Ok(screen.while_idle()? * 100.0)).collect::<Result<Vec<f64>>>()?;
    let mut rows = vec![Row {
        what: format!("top at 1 s, {} by {}: CPU", SIZE.0, SIZE.1),
        found: Spread::of(idle).context("no round")?,
        unit: "% of a core",
        target: "at most 2",
    }];
    for (key, name) in TABS {
        screen.press(key)?;
        thread::sleep(SECOND);
        let frames = (0..rounds).map(|_| screen.frame()).collect::<Result<Vec<f64>>>()?;
        rows.push(Row {
            what: format!("a frame of {name}, {} by {}: CPU", SIZE.0, SIZE.1),
            found: Spread::of(frames).context("no round")?,
            unit: "ms",
            target: "at most 4",
        });
    }
    screen.end()?;
    drop(load.stop());
    Ok(rows)
}

/// `top` in a terminal of its own, which `script` makes.
struct Screen {
    running: Running,
    keys: ChildStdin,
    pid: u32,
}

impl Screen {
    fn start(binary: &Path, node: &str, peers: u32) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let pid = directory.path().join("pid");
        let (columns, rows) = SIZE;
        let slots = watch::slots(peers);
        let line = format!(
            "stty cols {columns} rows {rows}; echo $$ >{}; TERM=xterm-256color exec {} --netns {node} top --peer-slots {slots}",
            pid.display(),
            binary.display(),
        );
        let child = command::program("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start script (bsdutils)")?;
        let mut running = Running(child);
        let keys = running.0.stdin.take().context("no stdin")?;
        let mut drawn = running.0.stdout.take().context("no stdout")?;
        let (first, is_drawn) = mpsc::channel();
        // A terminal that nobody reads would stop the tool.
        thread::spawn(move || {
            let (mut bytes, mut seen) = (vec![0; 1 << 16], String::new());
            while let Ok(read @ 1..) = drawn.read(&mut bytes) {
                if seen.contains("Overview") {
                    // Nobody asks any more.
                    let _ = first.send(());
                } else {
                    seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
                }
            }
        });
        is_drawn
            .recv_timeout(Duration::from_secs(30))
            .context("the tool has not drawn two frames within 30 s")?;
        let pid = fs::read_to_string(pid)?.trim().parse()?;
        Ok(Self { running, keys, pid })
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("cannot press a key")
    }

    /// Seconds of CPU of all its threads until now, in the kernel and outside (`/proc/<pid>/task/<tid>/schedstat`).
    fn cpu(&self) -> Result<f64> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid)).context("the tool has ended")? {
            // A thread may end meanwhile.
            let Ok(told) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let nanoseconds: u64 = told.split(' ').next().unwrap_or_default().parse()?;
            sum += nanoseconds;
        }
        Ok(Duration::from_nanos(sum).as_secs_f64())
    }

    /// Processors that it takes when nobody presses a key.
    fn while_idle(&self) -> Result<f64> {
        let (begin, before) = (Instant::now(), self.cpu()?);
        thread::sleep(SECOND);
        Ok((self.cpu()? - before) / begin.elapsed().as_secs_f64())
    }

    /// Milliseconds of CPU of one frame, without what it takes when nobody presses a key.
    fn frame(&mut self) -> Result<f64> {
        let idle = self.while_idle()?;
        let (begin, before) = (Instant::now(), self.cpu()?);
        for key in ["j", "k"].into_iter().cycle().take(usize::try_from(KEYS)?) {
            self.press(key)?;
            thread::sleep(BETWEEN);
        }
        let all = self.cpu()? - before - idle * begin.elapsed().as_secs_f64();
        Ok(all * 1000.0 / f64::from(KEYS))
    }

    fn end(mut self) -> Result<()> {
        self.press("q")?;
        self.running.0.wait()?;
        Ok(())
    }
}
