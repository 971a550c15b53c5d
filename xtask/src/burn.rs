//! An eBPF program of somebody else that takes its time with each packet, on a hook of an interface: for tests and for the benchmark's
//! own proof. It changes no packet.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Nanoseconds that a run of it takes at least.
pub const BURNS_NS: i32 = 2000;

/// Where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A clsact filter of what leaves.
    Egress,
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
    pub id: u64,
}

/// `struct bpf_insn`.
fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> [u8; 8] {
    let ([o0, o1], [v0, v1, v2, v3]) = (offset.to_ne_bytes(), value.to_ne_bytes());
    [code, to | from << 4, o0, o1, v0, v1, v2, v3]
}

/// Asks for the time until it is late enough, a bounded number of times, and hands the packet on.
fn instructions(verdict: i32) -> Vec<u8> {
    const CALL: u8 = 0x85;
    const TIME: i32 = 5; // bpf_ktime_get_ns
    const MOST: i32 = BURNS_NS / 5;
    [
        instruction(CALL, 0, 0, 0, TIME),
        instruction(0xbf, 7, 0, 0, 0),        // r7 = r0
        instruction(0xb7, 8, 0, 0, 0),        // r8 = 0
        instruction(CALL, 0, 0, 0, TIME),     // again:
        instruction(0x1f, 0, 7, 0, 0),        // r0 -= r7
        instruction(0x25, 0, 0, 2, BURNS_NS), // if r0 > BURNS_NS goto out
        instruction(0x07, 8, 0, 0, 1),        // r8 += 1
        instruction(0xa5, 8, 0, -5, MOST),    // if r8 < most goto again
        instruction(0xb7, 0, 0, 0, verdict),  // out: r0 = verdict
        instruction(0x95, 0, 0, 0, 0),        // exit
    ]
    .concat()
}

/// Loads it as `burn`.
fn load(hook: Hook) -> Result<OwnedFd> {
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
    let (kind, verdict) = match hook {
        Hook::Egress => (3, -1), // BPF_PROG_TYPE_SCHED_CLS, TC_ACT_UNSPEC
        Hook::Xdp => (6, 2),     // BPF_PROG_TYPE_XDP, XDP_PASS
    };
    let code = instructions(verdict);
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
    /// Puts it on an interface.
    pub fn on(netns: &str, interface: &str, hook: Hook) -> Result<Self> {
        let program = load(hook)?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd()))?;
        let id = info.lines().find_map(|line| line.strip_prefix("prog_id:")).context("it has no number")?;
        let id = id.trim().parse()?;
        let directory = tempfile::tempdir()?;
        let at = directory.path().display();
        let attach = match hook {
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
        Ok(Self { netns: netns.to_owned(), interface: interface.to_owned(), hook, id })
    }
}

impl Drop for Burn {
    fn drop(&mut self) {
        let Self { netns, interface, hook, .. } = self;
        let undo = match hook {
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
