//! An eBPF program of somebody else that takes its time with each packet, or does nothing, on a hook of an interface: for tests, for the
//! benchmark's own proof, and to measure beside. It changes no packet.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use overlay_probe::{ebpf, netns};

/// Nanoseconds that a run of it takes at least.
pub const BURNS_NS: i32 = 2000;

/// Where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A clsact filter of what leaves.
    Egress,
    /// A TCX link for what leaves.
    Tcx,
    /// Generic XDP.
    Xdp,
}

/// The program, on an interface until this is dropped.
#[derive(Debug)]
pub struct Burn {
    netns: String,
    interface: String,
    hook: Hook,
    /// The kernel's number of it.
    pub id: u32,
    _link: Option<OwnedFd>,
}

/// `struct bpf_insn`.
fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> [u8; 8] {
    let ([o0, o1], [v0, v1, v2, v3]) = (offset.to_ne_bytes(), value.to_ne_bytes());
    [code, to | from << 4, o0, o1, v0, v1, v2, v3]
}

impl Hook {
    /// What hands the packet on.
    fn verdict(self) -> i32 {
        match self {
            Self::Egress | Self::Tcx => -1, // TC_ACT_UNSPEC, TCX_NEXT
            Self::Xdp => 2,                 // XDP_PASS
        }
    }
}

/// Hands the packet on.
fn nothing(verdict: i32) -> Vec<u8> {
    [instruction(0xb7, 0, 0, 0, verdict), instruction(0x95, 0, 0, 0, 0)].concat()
}

/// Asks for the time until it is late enough, a bounded number of times, and hands the packet on.
fn burning(verdict: i32) -> Vec<u8> {
    const CALL: u8 = 0x85;
    const TIME: i32 = 5; // bpf_ktime_get_ns
    const MOST: i32 = BURNS_NS / 5;
    let mut code = [
        instruction(CALL, 0, 0, 0, TIME),
        instruction(0xbf, 7, 0, 0, 0),        // r7 = r0
        instruction(0xb7, 8, 0, 0, 0),        // r8 = 0
        instruction(CALL, 0, 0, 0, TIME),     // again:
        instruction(0x1f, 0, 7, 0, 0),        // r0 -= r7
        instruction(0x25, 0, 0, 2, BURNS_NS), // if r0 > BURNS_NS goto out
        instruction(0x07, 8, 0, 0, 1),        // r8 += 1
        instruction(0xa5, 8, 0, -5, MOST),    // if r8 < most goto again
    ]
    .concat();
    code.extend(nothing(verdict)); // out:
    code
}

/// Loads it as `burn`.
fn load(hook: Hook, code: &[u8]) -> Result<OwnedFd> {
    /// `BPF_PROG_LOAD`, and the part of `union bpf_attr` that it uses here.
    const PROG_LOAD: libc::c_long = 5;
    #[repr(C)]
    struct Attr {
        kind: u32,
        instructions: u32,
        code: u64,
        license: u64,
        log: [u32; 2],
        log_buffer: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
    }
    let kind = match hook {
        Hook::Egress | Hook::Tcx => 3, // BPF_PROG_TYPE_SCHED_CLS
        Hook::Xdp => 6,                // BPF_PROG_TYPE_XDP
    };
    let attr = Attr {
        kind,
        instructions: u32::try_from(code.len() / 8)?,
        code: code.as_ptr().expose_provenance() as u64,
        license: c"GPL".as_ptr().expose_provenance() as u64,
        log: [0; 2],
        log_buffer: 0,
        kernel_version: 0,
        flags: 0,
        name: *b"burn\0\0\0\0\0\0\0\0\0\0\0\0",
    };
    // SAFETY: the attribute and what it points to live until the call is over.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attr, size_of::<Attr>()) };
    ensure!(fd >= 0, "cannot load it: {}", io::Error::last_os_error());
    let fd = i32::try_from(fd)?;
    // SAFETY: the kernel made it for this call, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Burn {
    /// Puts one that takes its time on an interface.
    pub fn on(netns: &str, interface: &str, hook: Hook) -> Result<Self> {
        Self::of(netns, interface, hook, &burning(hook.verdict()))
    }

    /// Puts one there that does nothing.
    pub fn empty(netns: &str, interface: &str, hook: Hook) -> Result<Self> {
        Self::of(netns, interface, hook, &nothing(hook.verdict()))
    }

    fn of(netns: &str, interface: &str, hook: Hook, code: &[u8]) -> Result<Self> {
        let program = load(hook, code)?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd()))?;
        let id = info.lines().find_map(|line| line.strip_prefix("prog_id:")).context("it has no number")?;
        let id = id.trim().parse()?;
        let directory = tempfile::tempdir()?;
        let at = directory.path().display();
        let this =
            |link| Self { netns: netns.to_owned(), interface: interface.to_owned(), hook, id, _link: link };
        let attach = match hook {
            Hook::Tcx => return Ok(this(Some(link(netns, interface, &program)?))),
            Hook::Egress => format!(
                "tc qdisc add dev {interface} clsact && \
                 tc filter add dev {interface} egress pref 7 bpf direct-action object-pinned {at}/burn"
            ),
            Hook::Xdp => format!("ip link set dev {interface} xdpgeneric pinned {at}/burn"),
        };
        let steps = format!("mount -t bpf bpf {at} && bpftool prog pin id {id} {at}/burn && {attach}");
        let done = Command::new("nsenter")
            .args([&net(netns), "unshare", "--mount", "sh", "-c", &steps])
            .output()
            .context("nsenter")?;
        ensure!(done.status.success(), "cannot attach it: {}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(this(None))
    }
}

/// A TCX link of what leaves.
fn link(netns: &str, interface: &str, program: &OwnedFd) -> Result<OwnedFd> {
    let name = CString::new(interface)?;
    let attach = || {
        // SAFETY: a string that lives until the call is over.
        let ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) };
        ebpf::attach_here(program.as_fd(), ifindex, true)
    };
    netns::run_in(&netns::open(netns)?, attach)?.context("cannot attach it")
}

impl Drop for Burn {
    fn drop(&mut self) {
        let Self { netns, interface, hook, .. } = self;
        let undo = match hook {
            // With its link.
            Hook::Tcx => return,
            Hook::Egress => format!("tc qdisc del dev {interface} clsact"),
            Hook::Xdp => format!("ip link set dev {interface} xdpgeneric off"),
        };
        // With the lab it goes as well.
        let _ = Command::new("nsenter").args([&net(netns), "sh", "-c", &undo]).output();
    }
}

fn net(netns: &str) -> String {
    format!("--net=/run/netns/{netns}")
}
