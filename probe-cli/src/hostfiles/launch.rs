//! What RKE2 and k3s are told when their service starts: arguments in the unit, or in OpenRC's script, as k3s' installer writes
//! them, and the few settings that can come by environment file. An argument replaces what `config.yaml` says, or adds to it
//! where several values are taken, since the file's settings are put in front of the arguments (k3s
//! pkg/configfilearg/parser.go, `Parse`).

use super::{
    keys,
    notes::FileNotes,
    parse::{conf_files, note_trouble},
    rancher,
    root::Root,
};
use crate::facts::files::{Settings, Sourced};

/// Where units are; the first one of a name counts (systemd.unit(5)).
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Most drop-ins of a unit.
const FILES: usize = 64;
/// Most words of a command line.
const WORDS: usize = 4_096;

/// Settings that take several values, which arguments add to.
const LISTS: [&str; 12] = [
    "cluster-cidr",
    "cluster-dns",
    "cni",
    "disable",
    "kube-proxy-arg",
    "kube-proxy-extra-mount",
    "node-external-dns",
    "node-external-ip",
    "node-internal-dns",
    "node-ip",
    "service-cidr",
    "tls-san",
];
/// Settings that can come by the environment, where nothing else says them.
const VARIABLES: [(&str, &str); 3] =
    [("RKE2_CNI", "cni"), ("RKE2_NODE_NAME", "node-name"), ("K3S_NODE_NAME", "node-name")];

/// Adds what the services of these names are told. Returns the word for what the first of them starts, `server` or `agent`.
pub(super) fn read(
    root: &Root,
    services: &[&str],
    settings: &mut Settings,
    notes: &mut FileNotes,
) -> Option<Sourced<String>> {
    let mut verb = None;
    for service in services {
        let unit = DIRECTORIES.iter().map(|directory| format!("{directory}/{service}.service"));
        let mut files: Vec<String> =
            unit.filter(|file| root.exists(file).value().is_some()).take(1).collect();
        let drop_ins = format!("/etc/systemd/system/{service}.service.d");
        let names = conf_files(root, &drop_ins, FILES, notes);
        files.extend(names.iter().map(|name| format!("{drop_ins}/{name}")));
        let mut command = Vec::new();
        for file in &files {
            let text = root.text(file);
            note_trouble(&text, file, notes);
            if let Some(text) = text.value() {
                command_line(file, text, &mut command);
            }
        }
        if files.is_empty() {
            // Where there is no systemd, k3s' installer writes a script for OpenRC.
            let file = format!("/etc/init.d/{service}");
            let text = root.text(&file);
            note_trouble(&text, &file, notes);
            if let Some(text) = text.value() {
                script(&file, text, &mut command);
            }
        }
        arguments(&command, settings);
        environment(root, service, settings, notes);
        verb = verb.or_else(|| command.into_iter().find(is_verb));
    }
    verb
}

fn is_verb(word: &Sourced<String>) -> bool {
    matches!(word.value.as_str(), "server" | "agent")
}

/// The words of `ExecStart`. An empty one forgets those before it, as in systemd.service(5).
pub(super) fn command_line(file: &str, text: &str, words: &mut Vec<Sourced<String>>) {
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let rest = match line.strip_prefix("ExecStart=") {
            _ if goes_on => line,
            Some(command) => {
                words.clear();
                command
            }
            None => continue,
        };
        goes_on = rest.ends_with('\\');
        let found = split(rest.trim_end_matches('\\')).into_iter();
        let found = found.map(|value| Sourced { value, file: file.to_owned(), line: Some(number) });
        words.extend(found.take(WORDS.saturating_sub(words.len())));
    }
}

/// The words of `command_args` of an OpenRC script, which end where its output is sent elsewhere.
pub(super) fn script(file: &str, text: &str, words: &mut Vec<Sourced<String>>) {
    let mut is_inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let rest = match line.strip_prefix("command_args=\"") {
            _ if is_inside => line,
            Some(command) => {
                words.clear();
                command
            }
            None => continue,
        };
        let (rest, is_last) = rest.split_once('"').map_or((rest, false), |(rest, _)| (rest, true));
        let found = split(rest.trim_end_matches('\\')).into_iter().take_while(|word| !word.starts_with('>'));
        let found = found.map(|value| Sourced { value, file: file.to_owned(), line: Some(number) });
        words.extend(found.take(WORDS.saturating_sub(words.len())));
        is_inside = !is_last;
    }
}

/// Words between blanks; quotes hold them together.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `--key=value`, `--key value`, and `--key` of a Boolean, behind `server` or `agent`.
pub(super) fn arguments(command: &[Sourced<String>], settings: &mut Settings) {
    let mut words = command.iter().skip_while(|word| !is_verb(word)).peekable();
    let mut found = Settings::new();
    while let Some(word) = words.next() {
        let Some(flag) = word.value.strip_prefix("--") else { continue };
        let (key, value) = match flag.split_once('=') {
            Some((key, value)) => (key, word.with(value.to_owned())),
            None => match words.next_if(|next| !next.value.starts_with('-')) {
                Some(next) => (flag, next.clone()),
                None => (flag, word.with("true".to_owned())),
            },
        };
        if rancher::is_kept(key) {
            found.entry(key.to_owned()).or_default().extend(rancher::split(key, &value));
        }
    }
    for (key, mut values) in found {
        let kept = settings.entry(key.clone()).or_default();
        if !LISTS.contains(&key.as_str()) {
            kept.clear();
        }
        kept.append(&mut values);
    }
}

/// The environment files of a service: those of RKE2's units, and the one that k3s' installer writes.
fn environment(root: &Root, service: &str, settings: &mut Settings, notes: &mut FileNotes) {
    for file in [
        format!("/etc/default/{service}"),
        format!("/etc/sysconfig/{service}"),
        format!("/usr/local/lib/systemd/system/{service}.env"),
        format!("/etc/systemd/system/{service}.service.env"),
    ] {
        let entries = keys::read(root, &file, notes);
        for (variable, key) in VARIABLES {
            let said =
                entries.iter().rev().find(|entry| entry.key == variable && !entry.value.value.is_empty());
            if let Some(said) = said
                && !settings.contains_key(key)
            {
                settings.insert(key.to_owned(), rancher::split(key, &said.value));
            }
        }
    }
}
