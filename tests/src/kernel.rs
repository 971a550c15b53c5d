//! What the kernel says is attached, asked by `bpftool` and `tc`.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{ns, sh};

/// True on a kernel older than this one.
pub fn is_before(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap()) < (major, minor)
}

/// Programs and links that a process holds, by the kernel's numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// BPF programs.
    pub programs: BTreeSet<u64>,
    /// BPF links.
    pub links: BTreeSet<u64>,
}

impl Held {
    /// Of a live process.
    pub fn by(pid: u32) -> Self {
        let mut held = Self::default();
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten() {
            // Closed since.
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            for line in text.lines() {
                let Some((name, value)) = line.split_once(':') else { continue };
                let into = match name {
                    "prog_id" => &mut held.programs,
                    "link_id" => &mut held.links,
                    _ => continue,
                };
                into.insert(value.trim().parse().unwrap());
            }
        }
        held
    }

    /// Those that the kernel still has.
    #[must_use]
    pub fn left(&self) -> Self {
        let still = |kind: &str| -> BTreeSet<u64> {
            list(&sh("bpftool", &["-j", kind, "show"]))
                .iter()
                .filter_map(|entry| entry["id"].as_u64())
                .collect()
        };
        Self { programs: &self.programs & &still("prog"), links: &self.links & &still("link") }
    }
}

/// Names of the filters on the clsact hooks of an interface, both directions; a filter that is no program counts by
/// its kind. Sorted.
pub fn filters(netns: &str, interface: &str) -> Vec<String> {
    let mut names = Vec::new();
    for direction in ["ingress", "egress"] {
        for filter in list(&ns(netns, &format!("tc -j filter show dev {interface} {direction}"))) {
            let options = &filter["options"];
            if let Some(name) = options["bpf_name"].as_str() {
                names.push(name.to_owned());
            } else if options["match"].is_object() {
                names.push(filter["kind"].as_str().unwrap().to_owned());
            }
        }
    }
    names.sort_unstable();
    names
}

/// The kernel's numbers of the programs that are filters on an interface, both directions.
pub fn filter_programs(netns: &str, interface: &str) -> Vec<u32> {
    let filters = ["ingress", "egress"]
        .map(|direction| list(&ns(netns, &format!("tc -j filter show dev {interface} {direction}"))));
    let ids = filters.iter().flatten().filter_map(|filter| filter["options"]["prog"]["id"].as_u64());
    ids.map(|id| u32::try_from(id).unwrap()).collect()
}

/// True when the interface has a clsact qdisc.
pub fn has_clsact(netns: &str, interface: &str) -> bool {
    let qdiscs = list(&ns(netns, &format!("tc -j qdisc show dev {interface}")));
    qdiscs.iter().any(|qdisc| qdisc["kind"] == "clsact")
}

/// Packets that the actions of an interface's u32 filters have had in hand.
pub fn action_packets(netns: &str, interface: &str, direction: &str) -> u64 {
    let filters = list(&ns(netns, &format!("tc -j -s filter show dev {interface} {direction}")));
    let actions = filters.iter().filter_map(|filter| filter["options"]["actions"].as_array()).flatten();
    actions.filter_map(|action| action["stats"]["packets"].as_u64()).sum()
}

/// Nothing at all is printed as nothing.
fn list(text: &str) -> Vec<Value> {
    if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(text).unwrap() }
}
