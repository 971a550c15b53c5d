//! Programs that manage the node's firewall, firewalld and ufw: are they on, and what do their files let in. Files only: the
//! rules that the kernel has are not read.

use super::{
    keys,
    notes::FileNotes,
    parse::{ends, note_rest, note_trouble},
    root::Root,
    services::{is_installed, is_running},
    tree::boolean,
};
use crate::{
    facts::files::{Firewall, FirewallKind, Passed, Sourced},
    observed::Observed,
};

/// The administrator's zones and services of firewalld (firewalld.zone(5), firewalld.service(5)).
const DIRECTORIES: [&str; 2] = ["/etc/firewalld/zones", "/etc/firewalld/services"];
/// Most files of one directory.
const FILES: usize = 64;
/// Most things that one firewall lets in.
const MOST: usize = 1_024;
/// Rules of ufw (ufw-framework(8)), in the words of iptables-restore(8).
const RULES: [&str; 4] =
    ["/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/etc/ufw/before.rules", "/etc/ufw/before6.rules"];

/// Those that are installed.
pub(super) fn read(root: &Root, notes: &mut FileNotes) -> Vec<Firewall> {
    firewalld(root, notes).into_iter().chain(ufw(root, notes)).collect()
}

fn firewalld(root: &Root, notes: &mut FileNotes) -> Option<Firewall> {
    const UNIT: &str = "firewalld.service";
    if !is_installed(root, UNIT) {
        return None;
    }
    let mut passes = Vec::new();
    for directory in DIRECTORIES {
        let names = root.names(directory, FILES, |name, kind| !kind.is_dir() && ends(name, &[".xml"]));
        note_trouble(&names, directory, notes);
        let Observed::Value(names) = names else { continue };
        note_rest(&names, directory, notes);
        for name in &names.first {
            let path = format!("{directory}/{name}");
            let text = root.text(&path);
            note_trouble(&text, &path, notes);
            if let Observed::Value(text) = text {
                passes.extend(zone(&path, &text));
            }
        }
    }
    passes.truncate(MOST);
    Some(Firewall { kind: FirewallKind::Firewalld, is_on: is_running(root, UNIT), passes })
}

/// What a zone lets in: its ports, and its interfaces and sources where it takes everything, or has a rule that takes something.
/// Of a service the ports: it was made for a zone.
fn zone(path: &str, text: &str) -> Vec<Sourced<Passed>> {
    let takes_some = path.ends_with("/trusted.xml") || elements(text).any(|(_, tag)| is_accepting(tag));
    let passed = |tag: &str| {
        let value = |name| attribute(tag, name);
        if tag.starts_with("port ") {
            return value("port").filter(|_| value("protocol") == Some("udp")).and_then(ports);
        }
        if !takes_some {
            None
        } else if tag.starts_with("source ") {
            value("address")?.parse().ok().map(Passed::Network)
        } else if tag.starts_with("interface ") {
            value("name").map(|name| Passed::Interface(name.to_owned()))
        } else {
            None
        }
    };
    elements(text)
        .filter_map(|(line, tag)| {
            Some(Sourced { value: passed(tag)?, file: path.to_owned(), line: Some(line) })
        })
        .collect()
}

fn is_accepting(tag: &str) -> bool {
    let is_zone = tag.starts_with("zone ") && attribute(tag, "target") == Some("ACCEPT");
    is_zone || tag.starts_with("accept")
}

/// What is between `<` and `>`, with the line that it begins in.
fn elements(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut line = 1;
    text.split('<').filter_map(move |part| {
        let found = part.split_once('>').map(|(tag, _)| (line, tag));
        line += u32::try_from(part.matches('\n').count()).unwrap_or(0);
        found
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    ['"', '\''].into_iter().find_map(|quote| {
        let (_, rest) = tag.split_once(&format!(" {name}={quote}"))?;
        rest.split_once(quote).map(|(value, _)| value)
    })
}

/// `8472`, `8000-9000` or `8000:9000`.
fn ports(text: &str) -> Option<Passed> {
    let (first, last) = text.split_once(['-', ':']).unwrap_or((text, text));
    Some(Passed::Ports { first: first.parse().ok()?, last: last.parse().ok()? })
}

fn ufw(root: &Root, notes: &mut FileNotes) -> Option<Firewall> {
    const CONF: &str = "/etc/ufw/ufw.conf";
    root.exists(CONF).value()?;
    let said = |file: &str, key: &str, notes: &mut FileNotes| {
        let entries = keys::read(root, file, notes);
        entries.into_iter().rev().find(|entry| entry.key == key).map(|entry| entry.value)
    };
    let is_on = said(CONF, "ENABLED", notes).and_then(|enabled| boolean(&enabled.value));
    let policy = said("/etc/default/ufw", "DEFAULT_INPUT_POLICY", notes);
    let policy = policy.filter(|policy| policy.value == "ACCEPT").map(|policy| policy.with(Passed::All));
    let mut passes: Vec<Sourced<Passed>> = policy.into_iter().collect();
    for path in RULES {
        let text = root.text(path);
        note_trouble(&text, path, notes);
        let lines = text.value().map(String::as_str).unwrap_or_default().lines();
        passes.extend((1..).zip(lines).flat_map(|(line, text)| {
            let sourced = move |value| Sourced { value, file: path.to_owned(), line: Some(line) };
            rule(text).into_iter().map(sourced)
        }));
    }
    passes.truncate(MOST);
    Some(Firewall { kind: FirewallKind::Ufw, is_on, passes })
}

/// What a rule lets in, as far as it names a network, an interface or UDP ports.
fn rule(line: &str) -> Vec<Passed> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.first() != Some(&"-A") || !words.contains(&"ACCEPT") {
        return Vec::new();
    }
    let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1));
    // A rule for some ports, or for connections that exist, is none for a network.
    let by_port = ["--dport", "--dports"].into_iter().find_map(after);
    if let Some(list) = by_port {
        let is_udp = after("-p") == Some(&"udp");
        return if is_udp { list.split(',').filter_map(ports).collect() } else { Vec::new() };
    }
    if words.iter().any(|word| matches!(*word, "--ctstate" | "--state" | "-p" | "--icmp-type" | "!")) {
        return Vec::new();
    }
    let network = after("-s").and_then(|text| {
        text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
    });
    let interface = after("-i").filter(|name| **name != "lo");
    let network = network.map(Passed::Network);
    network.into_iter().chain(interface.map(|name| Passed::Interface((*name).to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_let_in_ports_and_what_is_trusted() {
        let text = "<?xml version=\"1.0\"?>\n<zone target=\"ACCEPT\">\n  <source address=\"10.42.0.0/16\"/>\n  \
                    <interface name='cni0'/>\n  <port port=\"8472\" protocol=\"udp\"/>\n  \
                    <port protocol=\"udp\" port=\"51820-51821\"/><port port=\"80\" protocol=\"tcp\"/>\n</zone>";
        let of = |path: &str, text: &str| {
            zone(path, text).into_iter().map(|found| (found.value, found.line)).collect::<Vec<_>>()
        };
        let network = Passed::Network("10.42.0.0/16".parse().unwrap());
        let ports = [
            (Passed::Ports { first: 8472, last: 8472 }, Some(5)),
            (Passed::Ports { first: 51820, last: 51821 }, Some(6)),
        ];
        let trusted = [(network, Some(3)), (Passed::Interface("cni0".to_owned()), Some(4))];
        let all: Vec<_> = trusted.into_iter().chain(ports.clone()).collect();
        assert_eq!(of("/zones/own.xml", text), all);
        let plain = text.replace(" target=\"ACCEPT\"", "");
        assert_eq!(of("/zones/public.xml", &plain), ports);
        assert_eq!(of("/zones/trusted.xml", &plain), all);
        let rule = "<zone><rule><source address=\"192.0.2.0/24\"/><accept/></rule></zone>";
        assert_eq!(
            of("/zones/public.xml", rule),
            [(Passed::Network("192.0.2.0/24".parse().unwrap()), Some(1))]
        );
        assert_eq!(of("/zones/public.xml", "<zone <source address=\"x"), []);
    }

    #[test]
    fn rules_let_in_networks_interfaces_and_udp_ports() {
        let port = |first, last| Passed::Ports { first, last };
        for (line, expected) in [
            ("-A ufw-user-input -p udp --dport 8472 -j ACCEPT", vec![port(8472, 8472)]),
            (
                "-A ufw-user-input -p udp -m multiport --dports 8472,51820:51821 -j ACCEPT",
                vec![port(8472, 8472), port(51820, 51821)],
            ),
            ("-A ufw-user-input -p tcp --dport 22 -j ACCEPT", vec![]),
            (
                "-A ufw-user-input -s 192.0.2.0/24 -j ACCEPT",
                vec![Passed::Network("192.0.2.0/24".parse().unwrap())],
            ),
            (
                "-A ufw-user-input -s 192.0.2.7 -j ACCEPT",
                vec![Passed::Network("192.0.2.7/32".parse().unwrap())],
            ),
            ("-A ufw-user-forward -i cni0 -j ACCEPT", vec![Passed::Interface("cni0".to_owned())]),
            ("-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", vec![]),
            ("-A ufw-before-input -i lo -j ACCEPT", vec![]),
            ("-A ufw-user-input -s 192.0.2.0/24 -j DROP", vec![]),
            ("### tuple ### allow any any 0.0.0.0/0 any 192.0.2.0/24 in", vec![]),
        ] {
            assert_eq!(rule(line), expected, "{line}");
        }
    }
}
