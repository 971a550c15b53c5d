//! What each kind of work needs of the machine, and how it is recognised. A program is looked for by its name and not by
//! its package: what somebody installed in another way (containerd with Docker, say) is as good.

use std::{env, fmt, path::Path};

use crate::{
    command::{self, cargo, program},
    debian,
    ebpf::toolchain,
    fuzz,
};

/// What is going to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Judging sources: format, lints.
    Lint,
    /// Tests in network namespaces of this kernel.
    Namespaces,
    /// Tests in virtual machines.
    Machines,
    /// Compiling the kernel object.
    Object,
    /// Judging licences, duplicates and sources of crates.
    Deny,
    /// Building the fuzzer.
    Fuzzing,
    /// Telling what the fuzzer's corpus covers.
    Coverage,
}

/// One thing that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A program, under the first of these names or paths that exists.
    Program { names: &'static [&'static str], package: &'static str },
    /// A package without a program to tell it by.
    Package(&'static str),
    /// An emulator that has a NIC with virtual functions.
    Qemu,
    /// A component of the Rust toolchain, told by its subcommand of cargo.
    Component { name: &'static str, subcommand: &'static str },
    /// A program from crates.io.
    Crate { name: &'static str, arguments: &'static [&'static str] },
}

const fn program_of(names: &'static [&'static str], package: &'static str) -> Need {
    Need::Program { names, package }
}

const LINT: &[Need] = &[
    Need::Component { name: "rustfmt", subcommand: "fmt" },
    Need::Component { name: "clippy", subcommand: "clippy" },
];

/// What the tests call, and what they hold the tool's numbers against.
const NAMESPACES: &[Need] = &[
    program_of(&["ip"], "iproute2"),
    program_of(&["tc"], "iproute2"),
    program_of(&["bridge"], "iproute2"),
    program_of(&["iptables"], "iptables"),
    program_of(&["tcpdump"], "tcpdump"),
    program_of(&["ethtool"], "ethtool"),
    program_of(&["bpftool"], "bpftool"),
    program_of(&["nsenter"], "util-linux"),
    program_of(&["sysctl"], "procps"),
    program_of(&["tmux"], "tmux"),
    program_of(&["wg"], "wireguard-tools"),
    program_of(&["containerd"], "containerd"),
    program_of(&["runc"], "runc"),
    program_of(&["/usr/lib/cni/bridge"], "containernetworking-plugins"),
    Need::Package("busybox-static"),
];

const MACHINES: &[Need] = &[
    Need::Qemu,
    program_of(&["strip"], "binutils"),
    program_of(&["cpio"], "cpio"),
    program_of(&["modprobe"], "kmod"),
    program_of(&["xz"], "xz-utils"),
    Need::Package("busybox-static"),
];

const DENY: &[Need] = &[Need::Crate { name: "cargo-deny", arguments: &DENY_INSTALL }];

/// Arguments of `cargo install` for cargo-deny.
const DENY_INSTALL: [&str; 4] = ["cargo-deny", "--version", DENY_VERSION, "--locked"];
const DENY_VERSION: &str = "0.20.2";

impl Purpose {
    /// What it needs.
    pub(super) fn needs(self) -> Vec<Need> {
        match self {
            Self::Lint => LINT.to_vec(),
            Self::Namespaces => NAMESPACES.to_vec(),
            Self::Machines => MACHINES.to_vec(),
            Self::Deny => DENY.to_vec(),
            // libFuzzer's sources are in a crate.
            Self::Fuzzing => vec![program_of(&["g++"], "g++")],
            Self::Coverage => match fuzz::impossible() {
                None => Vec::new(),
                Some(_) => vec![Need::Component { name: "llvm-tools", subcommand: "" }],
            },
            Self::Object => {
                let linker = Need::Crate { name: "bpf-linker", arguments: &toolchain::LINKER_INSTALL };
                let compiler = [program_of(&["g++"], "g++"), linker];
                toolchain::PACKAGES.into_iter().map(Need::Package).chain(compiler).collect()
            }
        }
    }

    /// Whether all of it is here already.
    pub(crate) fn is_ready(self) -> bool {
        self.needs().iter().all(Need::is_met)
    }
}

impl Need {
    /// Whether it is there.
    pub(super) fn is_met(&self) -> bool {
        match self {
            Self::Program { names, .. } => names.iter().any(|name| exists(name)),
            Self::Package(name) => {
                let status =
                    command::capture(program("dpkg-query").args(["-W", "-f=${db:Status-Status}", name]));
                status.is_ok_and(|status| status == "installed")
            }
            Self::Qemu => debian::has_qemu(),
            Self::Component { subcommand, .. } => command::succeeds(cargo(subcommand).arg("--version")),
            Self::Crate { name: "bpf-linker", .. } => {
                toolchain::linker_version().is_ok_and(|version| version == toolchain::LINKER_VERSION)
            }
            Self::Crate { .. } => {
                let version = command::capture(cargo("deny").arg("--version")).unwrap_or_default();
                version.trim().strip_prefix("cargo-deny ") == Some(DENY_VERSION)
            }
        }
    }

    /// The package that brings it from the machine's own sources.
    pub(super) fn package(&self) -> Option<&'static str> {
        match self {
            // Ubuntu has no package of that name: the program is in one with the kernel's other tools.
            Self::Program { package: "bpftool", .. } if debian::is_ubuntu() => Some("linux-tools-generic"),
            Self::Program { package, .. } | Self::Package(package) => Some(package),
            Self::Qemu => (!debian::qemu_is_elsewhere()).then_some(debian::QEMU),
            Self::Component { .. } | Self::Crate { .. } => None,
        }
    }

    /// The command that brings it, where no package of the machine's own sources does.
    pub(super) fn command(&self) -> Option<String> {
        match self {
            Self::Program { .. } | Self::Package(_) => None,
            Self::Qemu => debian::qemu_is_elsewhere()
                .then(|| format!("apt-get install -y -t {} {}", debian::QEMU_SUITE, debian::QEMU)),
            Self::Component { name, .. } => Some(format!("rustup component add {name}")),
            Self::Crate { arguments, .. } => Some(format!("cargo install {}", arguments.join(" "))),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { names, .. } => f.write_str(names.first().unwrap_or(&"")),
            Self::Package(name) | Self::Crate { name, .. } => f.write_str(name),
            Self::Qemu => f.write_str("QEMU 8 or later with the igb device"),
            Self::Component { name, .. } => write!(f, "the component {name}"),
        }
    }
}

/// Whether a program is in the path, where root has it too; or a file, for a name with a slash.
fn exists(name: &str) -> bool {
    if name.contains('/') {
        return Path::new(name).is_file();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(Into::into));
    places.any(|place| place.join(name).is_file())
}
