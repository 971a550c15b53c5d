//! One machine: QEMU's command line, and its output until it ends or hangs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use xtask::tree;

use super::{binaries::Binaries, cache::Image, initramfs, kernels::Kernel, verdict::Ending};
use crate::{
    command::{self, program},
    ui,
};

/// Longer than any file of tests takes on an emulated processor beside another machine.
const LIMIT_OF_A_FILE: Duration = Duration::from_secs(15 * 60);

/// A machine that is silent for so long hangs: it would have stopped a hanging file of tests itself.
const SILENCE: Duration = Duration::from_secs(16 * 60);

/// Many times what it takes to the first word, also beside another machine.
const LIMIT_OF_A_BOOT: Duration = Duration::from_secs(150);

/// An emulated processor may lose an interrupt and wait for it for ever ("Possible timer handling issue on cpu=0" on the
/// console): seen once in some twenty boots with QEMU 10.0 and processors in parallel, before anything of ours ran.
const BOOTS: u32 = 3;

/// Not KVM, even where it is: the same machine everywhere, and hosts of CI rarely have it. Processors by turns and not in
/// parallel: on two cores with another machine that takes two thirds of the time, as nobody waits for a processor that is
/// not running.
const ACCELERATOR: &str = "tcg,thread=single";

/// Two, so that there is more than one to count on.
const PROCESSORS: &str = "2";
const MEMORY: &str = "2048";

/// Everything that QEMU can emulate but what costs it time and gains a test nothing: a fifth level of page tables to walk,
/// and string instructions that a kernel takes to be fast, which an emulator goes through byte by byte.
const PROCESSOR: &str = "max,la57=off,erms=off,fsrm=off";

/// What the kernel is told.
///
/// - A panic reboots at once, which ends the machine.
/// - Guarding against speculation costs an emulator time for nothing.
/// - On a busy host the kernel finds an emulated timer too slow to be one, and gives up.
/// - A machine that stood still for half a minute finds its processors and workers stuck, and reports what is no fault of its own.
/// - Namespaces and interfaces that come and go wait for all processors, which is quicker when those are interrupted for it.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 mitigations=off intel_iommu=on iommu=pt no_timer_check \
    watchdog_thresh=60 workqueue.watchdog_thresh=120 rcupdate.rcu_expedited=1";

/// Reports of the kernel that it has failed, as its console shows them (kernel/panic.c, lib/bug.c, mm/kasan).
const FAULTS: [&str; 5] = ["Kernel panic", "BUG: ", "Oops: ", "general protection fault", "WARNING: "];

/// A machine that is not running yet.
pub(super) struct Machine<'a> {
    kernel: &'a Kernel,
    image: &'a Image,
    binaries: &'a Binaries,
}

impl<'a> Machine<'a> {
    pub(super) fn new(kernel: &'a Kernel, image: &'a Image, binaries: &'a Binaries) -> Self {
        Self { kernel, image, binaries }
    }

    /// Where its logs are kept.
    fn logs(&self) -> Result<PathBuf> {
        let place = tree::root().join("target/vm").join(&self.kernel.version);
        fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        Ok(place)
    }

    /// Runs the tests. A machine that never says a word is started again.
    pub(super) fn test(&self) -> Result<Ending> {
        let mut failed = 0;
        loop {
            match self.once()? {
                Run::Ended(mut ending) => {
                    if failed > 0 {
                        ending.remark(format!("did not boot at first, {failed} time(s)"));
                    }
                    return Ok(*ending);
                }
                Run::NotBooted(console) => {
                    failed += 1;
                    let seconds = LIMIT_OF_A_BOOT.as_secs();
                    let version = &self.kernel.version;
                    if failed == BOOTS {
                        bail!(
                            "{version} did not boot within {seconds} s, {BOOTS} times; its last words:\n{console}"
                        );
                    }
                    ui::note(&format!("{version} did not boot within {seconds} s, starting it again"));
                }
            }
        }
    }

    fn once(&self) -> Result<Run> {
        let logs = self.logs()?;
        let console = logs.join("console.log");
        let output = logs.join("output.log");
        let work = TempDir::new().context("making a directory for the machine")?;
        let mut qemu = self.qemu(&work, &console, self.settings())?;
        qemu.args(["-serial", "stdio"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let start = Instant::now();
        let mut child = Running(qemu.spawn().context("cannot run setpriv of util-linux, which starts QEMU")?);
        let mut log = File::create(&output).with_context(|| format!("making {}", output.display()))?;
        let mut ending = Ending::default();
        let heard = stream(&mut child.0, |line| {
            ending.line(line);
            ui::line(&format!("{:>5} | {line}", self.kernel.version));
            writeln!(log, "{line}").with_context(|| format!("writing {}", output.display()))
        })?;
        drop(child);
        ending.took = start.elapsed();
        let console = fs::read(&console).with_context(|| format!("reading {}", console.display()))?;
        let console = String::from_utf8_lossy(&console);
        let faults: Vec<&str> = console.lines().filter(|line| is_fault(line)).collect();
        match heard {
            Heard::ToTheEnd => {}
            // What panics is not started again: that would hide it.
            Heard::Nothing if faults.is_empty() => return Ok(Run::NotBooted(last_lines(&console))),
            Heard::Nothing => ending.fault("does not boot".to_owned()),
            Heard::NoMore => {
                ending.fault(format!("hangs: nothing was heard for {} minutes", SILENCE.as_secs() / 60));
            }
        }
        for line in faults {
            ending.fault(format!("the kernel reports: {}", line.trim()));
        }
        ending.logs = Some(logs);
        Ok(Run::Ended(Box::new(ending)))
    }

    /// Gives a shell on this terminal.
    pub(super) fn shell(&self) -> Result<()> {
        let work = TempDir::new().context("making a directory for the machine")?;
        let (rows, columns) = terminal();
        let mut settings = self.settings();
        settings.insert("SHELL_WANTED", "yes".to_owned());
        settings.insert("ROWS", rows);
        settings.insert("COLUMNS", columns);
        settings.insert("TERM", std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned()));
        let mut qemu = self.qemu(&work, &self.logs()?.join("console.log"), settings)?;
        // The keyboard's signals are for the shell in the machine.
        qemu.args(["-chardev", "stdio,id=shell,signal=off", "-serial", "chardev:shell"]);
        command::run(&mut qemu)
    }

    fn settings(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("KERNEL", self.image.root.display().to_string()),
            (
                "LEAVES_OUT",
                if self.binaries.are_chosen() { String::new() } else { self.kernel.leaves_out.join(" ") },
            ),
            ("LIMIT", LIMIT_OF_A_FILE.as_secs().to_string()),
            ("RELEASE", self.image.release.clone()),
            ("REPOSITORY", tree::root().display().to_string()),
            ("SHELL_WANTED", String::new()),
            ("STAGE", self.binaries.path().display().to_string()),
        ])
    }

    /// Everything but the second serial line.
    fn qemu(&self, work: &TempDir, console: &Path, settings: BTreeMap<&str, String>) -> Result<Command> {
        let initramfs = work.path().join("initramfs");
        initramfs::pack(self.image, settings, &initramfs)?;
        // A machine does not outlive this program, however that ends.
        let mut qemu = program("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args(["-machine", "q35,kernel-irqchip=split", "-accel", ACCELERATOR, "-cpu", PROCESSOR]);
        qemu.args(["-smp", PROCESSORS, "-m", MEMORY, "-display", "none", "-no-reboot", "-nodefaults"]);
        qemu.arg("-kernel").arg(&self.image.vmlinuz).arg("-initrd").arg(&initramfs);
        qemu.args(["-append", COMMAND_LINE]);
        qemu.args(["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"]);
        // A NIC with virtual functions (Intel 82576) behind a port of its own, for a group of its own in the IOMMU.
        qemu.args(["-device", "intel-iommu,intremap=on", "-netdev", "user,id=net0,restrict=on"]);
        qemu.args([
            "-device",
            "pcie-root-port,id=port1,chassis=1,slot=1",
            "-device",
            "igb,bus=port1,netdev=net0",
        ]);
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        Ok(qemu)
    }
}

/// What came of one start.
enum Run {
    Ended(Box<Ending>),
    /// Not a word, and no complaint of the kernel's; the last lines of its console.
    NotBooted(String),
}

/// How much a machine said.
enum Heard {
    /// It ended by itself.
    ToTheEnd,
    Nothing,
    /// It fell silent.
    NoMore,
}

/// Gives each line as it comes, until the machine ends or falls silent.
fn stream(child: &mut Child, mut line: impl FnMut(&str) -> Result<()>) -> Result<Heard> {
    let Some(mut stdout) = child.stdout.take() else { bail!("QEMU has no output") };
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer.get(..length).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    let mut rest: Vec<u8> = Vec::new();
    let (mut limit, mut when_silent) = (LIMIT_OF_A_BOOT, Heard::Nothing);
    let heard = loop {
        match receiver.recv_timeout(limit) {
            Ok(bytes) => rest.extend(bytes),
            Err(RecvTimeoutError::Disconnected) => break Heard::ToTheEnd,
            Err(RecvTimeoutError::Timeout) => break when_silent,
        }
        (limit, when_silent) = (SILENCE, Heard::NoMore);
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let whole: Vec<u8> = rest.drain(..=end).collect();
            line(String::from_utf8_lossy(&whole).trim_end())?;
        }
    };
    // What was begun names the test that hangs.
    if !rest.is_empty() {
        line(String::from_utf8_lossy(&rest).trim_end())?;
    }
    Ok(heard)
}

fn last_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
}

/// A process that does not outlive this one's interest in it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_fault(line: &str) -> bool {
    FAULTS.iter().any(|fault| line.contains(fault))
}

/// Rows and columns, as words for stty.
fn terminal() -> (String, String) {
    let size = command::capture(program("stty").arg("size").stdin(Stdio::inherit())).unwrap_or_default();
    let mut words = size.split_whitespace().map(str::to_owned);
    (words.next().unwrap_or_else(|| "24".to_owned()), words.next().unwrap_or_else(|| "80".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_kernel_are_recognised() {
        assert!(is_fault("[   12.1] BUG: kernel NULL pointer dereference, address: 0"));
        assert!(is_fault("[   12.1] WARNING: CPU: 0 PID: 7 at net/core/dev.c:1 x+0x1"));
        assert!(is_fault("Kernel panic - not syncing: Attempted to kill init!"));
        // An emulated processor on a busy host.
        assert!(!is_fault("rcu: INFO: rcu_preempt self-detected stall on CPU"));
        assert!(!is_fault("igb 0000:01:00.0: added PHC on eth0"));
    }
}
