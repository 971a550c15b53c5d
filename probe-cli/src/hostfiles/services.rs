//! NetworkManager and systemd-networkd: are they there, do they run, and which interfaces and routes of others do they leave
//! alone. Files only: nobody is asked over D-Bus.

use std::collections::BTreeMap;

use super::{
    keys::{self, Change, Entry},
    notes::FileNotes,
    parse::conf_files,
    root::Root,
    tree::{boolean, short},
};
use crate::{
    facts::files::{NetworkManager, Networkd, Sourced},
    observed::Observed,
};

/// Where units of services are.
const UNITS: [&str; 3] = ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"];
/// Most drop-ins of one directory.
const FILES: usize = 256;
/// Most devices.
const DEVICES: usize = 1_024;

/// NetworkManager, absent where it is not installed (NetworkManager.conf(5)).
pub(super) fn network_manager(root: &Root, notes: &mut FileNotes) -> Observed<NetworkManager> {
    if !is_installed(root, "NetworkManager.service") {
        return Observed::Absent;
    }
    // Its main file comes after the distribution's snippets and before the administrator's.
    let etc = "/etc/NetworkManager/conf.d";
    let mut files =
        drop_ins(root, &["/usr/lib/NetworkManager/conf.d", "/run/NetworkManager/conf.d", etc], notes);
    let behind = files.iter().position(|file| file.starts_with(etc)).unwrap_or(files.len());
    files.insert(behind, "/etc/NetworkManager/NetworkManager.conf".to_owned());
    let mut unmanaged: Vec<Sourced<String>> = Vec::new();
    for file in files {
        let entries = keys::read(root, &file, notes);
        for entry in &entries {
            if &*entry.section == "keyfile" && entry.key == "unmanaged-devices" {
                apply(&mut unmanaged, entry);
            } else if entry.section.starts_with("device")
                && entry.key == "match-device"
                && is_off(&entries, entry)
            {
                unmanaged.extend(devices(entry));
            }
        }
        unmanaged.truncate(DEVICES);
    }
    let wants =
        ["multi-user.target.wants/nm-cloud-setup.service", "timers.target.wants/nm-cloud-setup.timer"];
    let cloud_setup = wants.iter().any(|unit| root.link(&format!("/etc/systemd/system/{unit}")).is_some());
    Observed::Value(NetworkManager {
        is_running: is_running(root, "NetworkManager.service"),
        cloud_setup,
        unmanaged,
    })
}

/// `managed=0` in the section of an entry.
fn is_off(entries: &[Entry], entry: &Entry) -> bool {
    let mut managed = entries.iter().filter(|other| other.section == entry.section && other.key == "managed");
    managed.next_back().is_some_and(|managed| boolean(&managed.value.value) == Some(false))
}

fn devices(entry: &Entry) -> impl Iterator<Item = Sourced<String>> {
    let parts = entry.value.value.split([';', ',']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(|part| entry.value.with(part.to_owned()))
}

fn apply(list: &mut Vec<Sourced<String>>, entry: &Entry) {
    match entry.change {
        Change::Set => *list = devices(entry).collect(),
        Change::Add => list.extend(devices(entry)),
        Change::Remove => list.retain(|old| !devices(entry).any(|removed| removed.value == old.value)),
    }
}

/// systemd-networkd, absent where it is not installed (networkd.conf(5)).
pub(super) fn networkd(root: &Root, notes: &mut FileNotes) -> Observed<Networkd> {
    /// The one that counts most first.
    const DIRECTORIES: [&str; 4] =
        ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
    if !is_installed(root, "systemd-networkd.service") {
        return Observed::Absent;
    }
    let main = DIRECTORIES.iter().map(|directory| format!("{directory}/networkd.conf"));
    let main = main.filter(|file| root.exists(file).value().is_some()).take(1);
    let directories = DIRECTORIES.map(|directory| format!("{directory}/networkd.conf.d"));
    let directories: Vec<&str> = directories.iter().rev().map(String::as_str).collect();
    let mut drop_ins = drop_ins(root, &directories, notes);
    // All drop-ins are sorted together, wherever they are.
    drop_ins.sort_by(|a, b| base_name(a).cmp(base_name(b)));
    let mut found =
        Networkd { is_running: is_running(root, "systemd-networkd.service"), ..Networkd::default() };
    for file in main.chain(drop_ins).collect::<Vec<_>>() {
        for entry in keys::read(root, &file, notes).iter().filter(|entry| &*entry.section == "Network") {
            let setting = match entry.key.as_str() {
                "ManageForeignRoutes" => &mut found.manage_foreign_routes,
                "ManageForeignRoutingPolicyRules" => &mut found.manage_foreign_rules,
                "ManageForeignNextHops" => &mut found.manage_foreign_next_hops,
                _ => continue,
            };
            match boolean(&entry.value.value) {
                Some(value) => *setting = Some(entry.value.with(value)),
                None => notes.add(
                    &file,
                    entry.value.line,
                    format!("{} is {}, neither yes nor no", entry.key, short(&entry.value.value)),
                ),
            }
        }
    }
    Observed::Value(found)
}

/// `.conf` files of several directories, directory by directory, each sorted by name. A later directory's file hides those of
/// the same name before it; a link to `/dev/null` hides them and says nothing.
fn drop_ins(root: &Root, directories: &[&str], notes: &mut FileNotes) -> Vec<String> {
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for (index, directory) in directories.iter().enumerate() {
        let names = conf_files(root, directory, FILES, notes);
        by_name.extend(names.into_iter().map(|name| (name, index)));
    }
    let mut files: Vec<(usize, String)> = by_name.into_iter().map(|(name, index)| (index, name)).collect();
    files.sort();
    let paths =
        files.into_iter().filter_map(|(index, name)| Some(format!("{}/{name}", directories.get(index)?)));
    paths.filter(|path| root.link(path).as_deref() != Some("/dev/null")).collect()
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn is_installed(root: &Root, unit: &str) -> bool {
    UNITS.iter().any(|directory| root.exists(&format!("{directory}/{unit}")).value().is_some())
}

/// Does a service's control group have processes? None when there are no groups of services to be seen.
pub(super) fn is_running(root: &Root, unit: &str) -> Option<bool> {
    // The unified hierarchy says it of a group and all below it; the older one has a list of processes.
    let unified = "/sys/fs/cgroup/system.slice";
    if root.exists(unified).value().is_some() {
        return match root.kernel_text(&format!("{unified}/{unit}/cgroup.events")) {
            Observed::Value(events) => Some(events.lines().any(|line| line.trim() == "populated 1")),
            Observed::Absent => Some(false),
            Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. } => None,
        };
    }
    let older = "/sys/fs/cgroup/systemd/system.slice";
    root.exists(older).value()?;
    match root.kernel_text(&format!("{older}/{unit}/cgroup.procs")) {
        Observed::Value(processes) => Some(!processes.trim().is_empty()),
        Observed::Absent => Some(false),
        Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. } => None,
    }
}
