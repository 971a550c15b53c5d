//! host-local's files: a directory for each network, in it a file for each address that is taken.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use super::root::Root;
use crate::{
    facts::ipam::{IpamAddress, IpamLast, IpamNetwork},
    observed::Observed,
};

/// Where it keeps them unless `dataDir` says otherwise (`defaultDataDir`).
pub(super) const DIRECTORY: &str = "/var/lib/cni/networks";
/// Most networks.
const NETWORKS: usize = 256;
/// Most files of all networks that are read. A node's range has 254 addresses; leaks fill it and no more.
const FILES: usize = 8192;
/// Most names of one network: a range of IPv6 has no end.
const NAMES: usize = 65_536;
/// No file is opened after that.
const DEADLINE: Duration = Duration::from_secs(2);
/// Longest container ID or interface name that is kept.
const LONGEST: usize = 256;

/// The networks in these directories.
pub(super) fn read<'a>(
    root: &Root,
    directories: impl Iterator<Item = &'a str>,
) -> Observed<Vec<IpamNetwork>> {
    let directories: BTreeSet<&str> = directories.map(|path| path.trim_end_matches('/')).collect();
    let mut left = Left { files: FILES, until: Instant::now() + DEADLINE };
    let (mut found, mut answer) = (Vec::new(), Observed::Absent);
    for directory in directories {
        match root.names(directory, NETWORKS, |_, kind| kind.is_dir()) {
            Observed::Value(names) => {
                let networks = names.first.iter();
                found.extend(
                    networks.map(|name| network(root, &format!("{directory}/{name}"), name, &mut left)),
                );
            }
            Observed::Absent => {}
            other @ (Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. }) => {
                answer = other.map(|_| Vec::new());
            }
        }
    }
    if found.is_empty() { answer } else { Observed::Value(found) }
}

/// What may still be read.
struct Left {
    files: usize,
    until: Instant,
}

impl Left {
    /// True when one more file may be opened.
    fn take(&mut self) -> bool {
        let may = self.files > 0 && Instant::now() < self.until;
        self.files = self.files.saturating_sub(usize::from(may));
        may
    }
}

fn network(root: &Root, directory: &str, name: &str, left: &mut Left) -> IpamNetwork {
    let mut network =
        IpamNetwork { name: name.to_owned(), directory: directory.to_owned(), ..IpamNetwork::default() };
    // `lock` is the plugin's own.
    let names = root.names(directory, NAMES, |name, kind| !kind.is_dir() && name != "lock");
    let names = match names {
        Observed::Value(names) => names,
        other @ (Observed::Absent
        | Observed::Denied { .. }
        | Observed::Unsupported { .. }
        | Observed::Failed { .. }) => {
            network.notes.extend(other.trouble());
            return network;
        }
    };
    network.left_out = u64::try_from(names.further).unwrap_or(u64::MAX);
    let mut odd = Odd::default();
    for file in &names.first {
        let path = format!("{directory}/{file}");
        if let Some(range) = file.strip_prefix("last_reserved_ip.") {
            let address = root.text(&path).value().and_then(|text| text.trim().parse().ok());
            match (range.parse(), address) {
                (Ok(range), Some(address)) => network.last.push(IpamLast { range, address }),
                _ => odd.add(file, "does not have an address"),
            }
            continue;
        }
        let Ok(address) = file.parse::<IpAddr>() else {
            odd.add(file, "has a name that is not an address");
            continue;
        };
        if !left.take() {
            network.left_out = network.left_out.saturating_add(1);
            continue;
        }
        match root.text(&path) {
            Observed::Value(text) => match taken(address, &text) {
                Some(taken) => network.taken.push(taken),
                None => odd.add(file, "has too long lines"),
            },
            // Given back meanwhile.
            Observed::Absent => {}
            other @ (Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. }) => {
                odd.add(file, &other.trouble().unwrap_or_default());
            }
        }
    }
    network.taken.sort_by_key(|taken| taken.address);
    network.notes.extend(odd.note(directory));
    network
}

/// The ID and the interface, each on a line of its own, with the line ends of another system (`LineBreak`).
fn taken(address: IpAddr, text: &str) -> Option<IpamAddress> {
    let mut lines = text.lines().map(str::trim);
    let container = lines.next().unwrap_or_default().to_owned();
    let interface = lines.next().filter(|name| !name.is_empty()).map(str::to_owned);
    let fits = |text: &str| text.len() <= LONGEST;
    (fits(&container) && interface.as_deref().is_none_or(fits)).then_some(IpamAddress {
        address,
        container,
        interface,
    })
}

/// Files that are not what belongs there.
#[derive(Default)]
struct Odd {
    count: u64,
    first: Option<String>,
}

impl Odd {
    fn add(&mut self, file: &str, cause: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| format!("{file} {cause}"));
    }

    fn note(self, directory: &str) -> Option<String> {
        let first = self.first?;
        Some(format!("{} file(s) of {directory} are left out, such as {first}", self.count))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn read_below(root: &Path) -> Observed<Vec<IpamNetwork>> {
        read(&Root::open(root).unwrap(), ["/data/ipam/", DIRECTORY].into_iter())
    }

    #[test]
    fn addresses_with_who_has_them() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_below(root.path()), Observed::Absent);
        let directory = root.path().join("var/lib/cni/networks/k8s-pod-network");
        fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
        // As plugins 1.9 writes them, as 0.7 did, and as a crash leaves them.
        write("10.42.0.9", "5d1b8f0ac4d3\r\neth0");
        write("10.42.0.10", "5d1b8f0ac4d4\n");
        write("10.42.0.11", "");
        write("fd42::9", "5d1b8f0ac4d3\r\neth0");
        write("last_reserved_ip.0", "10.42.0.11");
        write("last_reserved_ip.1", "fd42::9");
        write("lock", "");
        write("README", "x");
        write("last_reserved_ip.x", "10.42.0.11");
        write("10.42.0.12", &"x".repeat(LONGEST + 1));
        let other = root.path().join("data/ipam/net1");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("192.0.2.7"), "c1\r\nnet1").unwrap();
        let Observed::Value(found) = read_below(root.path()) else { panic!() };
        let names: Vec<_> = found.iter().map(|network| network.directory.as_str()).collect();
        assert_eq!(names, ["/data/ipam/net1", "/var/lib/cni/networks/k8s-pod-network"]);
        let taken = |address: &str, container: &str, interface: Option<&str>| IpamAddress {
            address: address.parse().unwrap(),
            container: container.to_owned(),
            interface: interface.map(str::to_owned),
        };
        assert_eq!(
            found[1].taken,
            [
                taken("10.42.0.9", "5d1b8f0ac4d3", Some("eth0")),
                taken("10.42.0.10", "5d1b8f0ac4d4", None),
                taken("10.42.0.11", "", None),
                taken("fd42::9", "5d1b8f0ac4d3", Some("eth0")),
            ]
        );
        let last: Vec<_> = found[1].last.iter().map(|last| (last.range, last.address.to_string())).collect();
        assert_eq!(last, [(0, "10.42.0.11".to_owned()), (1, "fd42::9".to_owned())]);
        assert_eq!(found[1].notes.len(), 1);
        assert!(found[1].notes[0].starts_with("3 file(s) of /var/lib/cni/networks/"), "{:?}", found[1].notes);
        assert_eq!((found[1].left_out, found[0].taken.len()), (0, 1));
    }

    #[test]
    fn a_directory_of_leaks_and_of_what_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("var/lib/cni/networks/net");
        fs::create_dir_all(&directory).unwrap();
        for number in 0..FILES + 10 {
            let address = std::net::Ipv4Addr::from(0x0a2a_0000 + u32::try_from(number).unwrap());
            fs::write(directory.join(address.to_string()), "c\r\neth0").unwrap();
        }
        nix::unistd::mkfifo(&directory.join("9.9.9.9"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        std::os::unix::fs::symlink("/nothing", directory.join("9.9.9.8")).unwrap();
        let Observed::Value(found) = read_below(root.path()) else { panic!() };
        let counted = u64::try_from(found[0].taken.len()).unwrap() + found[0].left_out;
        // The bound, or the deadline on a slow machine: whatever was not read is counted.
        assert!(found[0].taken.len() <= FILES && counted >= u64::try_from(FILES + 8).unwrap(), "{counted}");
    }
}
