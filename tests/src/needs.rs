//! What a test needs of the kernel or the machine. A test that does not find it says so and ends; `cargo xtask` counts
//! it as skipped, and holds that against `kernels.toml` on the kernels that must have it.

use std::{env, fs, io::Write as _, process::Command};

use crate::lab::TestNetns;

/// Something that not every kernel or machine has; named as in `kernels.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Bridges that filter VLANs.
    BridgeVlan,
    /// Dummy devices.
    Dummy,
    /// IP-in-IP devices.
    Ipip,
    /// ipvlan devices.
    Ipvlan,
    /// macvlan devices.
    Macvlan,
    /// The qdisc that delays and loses packets.
    Netem,
    /// A NIC with virtual functions.
    Sriov,
    /// TCX links.
    Tcx,
    /// Devices of 802.1Q VLANs.
    Vlan,
    /// WireGuard devices.
    Wireguard,
}

impl Feature {
    /// Its name in `kernels.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BridgeVlan => "bridge-vlan",
            Self::Dummy => "dummy",
            Self::Ipip => "ipip",
            Self::Ipvlan => "ipvlan",
            Self::Macvlan => "macvlan",
            Self::Netem => "netem",
            Self::Sriov => "sriov",
            Self::Tcx => "tcx",
            Self::Vlan => "vlan",
            Self::Wireguard => "wireguard",
        }
    }

    /// Why it is not here; none when it is.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Sriov => {
                let pfs = fs::read_dir("/sys/bus/pci/devices").ok()?.flatten().any(|device| {
                    let total = fs::read_to_string(device.path().join("sriov_totalvfs")).unwrap_or_default();
                    total.trim().parse::<u32>().is_ok_and(|total| total > 0)
                });
                (!pfs).then(|| "no PCI device has virtual functions".to_owned())
            }
            // The function that answers questions about TCX, kernel/bpf/tcx.c; addresses are hidden, names are not.
            Self::Tcx => {
                let symbols = fs::read_to_string("/proc/kallsyms").unwrap();
                let there = symbols.lines().any(|line| line.split(' ').nth(2) == Some("tcx_prog_query"));
                (!there).then(|| "the kernel has no tcx_prog_query".to_owned())
            }
            Self::BridgeVlan => no_link("", "bridge vlan_filtering 1"),
            Self::Ipip => no_link("", "ipip local 192.0.2.1 remote 192.0.2.2"),
            Self::Ipvlan | Self::Macvlan => no_link("link parent", self.name()),
            Self::Vlan => no_link("link parent", "vlan id 7"),
            Self::Dummy | Self::Wireguard => no_link("", self.name()),
            Self::Netem => no_netem(),
        }
    }
}

/// Why the kernel makes no link of a kind; none when it does. Words before its name and after `type`.
fn no_link(before: &str, kind: &str) -> Option<String> {
    let netns = TestNetns::new("needed");
    netns.ip("link add name parent type veth peer name other");
    let words = format!("-n {} link add {before} name child type {kind}", netns.name());
    refused("ip", &words)
}

/// Why the kernel has no netem; none when it does.
fn no_netem() -> Option<String> {
    let netns = TestNetns::new("needed");
    let words = format!("-n {} qdisc add dev lo root netem delay 1ms", netns.name());
    refused("tc", &words)
}

/// Why a command that asks the kernel for something failed; none when it did not.
fn refused(program: &str, words: &str) -> Option<String> {
    let output = Command::new(program).args(words.split_whitespace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| said.trim().replace('\n', " "))
}

/// True when it is here. Else the test is noted as skipped; `test` is its full name.
pub fn has(feature: Feature, test: &str) -> bool {
    let Some(why) = feature.missing() else { return true };
    let line = format!("{test}: needs {}: {why}\n", feature.name());
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(line.as_bytes()).unwrap();
    if let Some(path) = env::var_os("OVERLAY_PROBE_SKIPS") {
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
    }
    false
}

/// The ways to attach that this kernel has.
pub fn ways() -> Vec<&'static str> {
    let mut ways = vec!["clsact"];
    if Feature::Tcx.missing().is_none() {
        ways.insert(0, "tcx");
    }
    ways
}

/// Ends the test, as skipped, when something is not here that it needs.
#[macro_export]
macro_rules! needs {
    ($feature:ident) => {{
        // A function inside the test has the test's name in its own.
        fn here() {}
        let name = ::std::any::type_name_of_val(&here);
        if !$crate::needs::has($crate::needs::Feature::$feature, name.trim_end_matches("::here")) {
            return;
        }
    }};
}
