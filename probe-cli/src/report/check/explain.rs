//! What a check is about: `--explain`, `--list`, and the pages in `docs/checks`.

use std::fmt::Write as _;

use crate::{
    check::{Check, Family, REGISTRY, faults_of},
    report::align::wrapped,
};

/// Everything about one check, for a terminal.
pub fn explain(check: &Check) -> String {
    let mut out = format!("{}: {}\n", check.id, check.title);
    for (title, words) in sections(check) {
        let _ = writeln!(out, "\n{title}");
        wrapped(&mut out, "  ", words);
    }
    if check.explain.fix.contains("agent") {
        out.push_str("\nHow the agent is restarted\n");
        for (cni, command) in RESTARTS {
            let _ = writeln!(out, "  {cni:<14}{command}");
        }
        out.push_str("  NODE is the node's name; pods keep running.\n");
    }
    let faults: Vec<&str> = faults_of(check.id).map(|fault| fault.name).collect();
    if let [first, ..] = faults.as_slice() {
        let _ = writeln!(out, "\nTry it in a lab\n  overlay-probe lab fault {first}");
    }
    out
}

/// By CNI, the command that restarts its agent on one node.
const RESTARTS: [(&str, &str); 6] = [
    (
        "Canal",
        "kubectl -n kube-system delete pod -l k8s-app=canal \\\n                  --field-selector spec.nodeName=NODE",
    ),
    ("rke2-flannel", "the same with -l app=flannel"),
    ("Cilium", "the same with -l k8s-app=cilium"),
    ("Calico", "the same with -n calico-system -l k8s-app=calico-node"),
    ("k3s, server", "systemctl restart k3s"),
    ("k3s, agent", "systemctl restart k3s-agent"),
];

/// Ids and titles, by family.
pub fn list() -> String {
    let mut out = String::new();
    let width = REGISTRY.iter().map(|check| check.id.len()).max().unwrap_or(0);
    for family in Family::ALL {
        for check in REGISTRY.iter().filter(|check| check.family == family) {
            let _ = writeln!(out, "{:<width$}  {}", check.id, check.title);
        }
    }
    out
}

/// The page of a family, Markdown.
pub fn page(family: Family) -> String {
    let mut out = format!(
        "<!-- Made from the checks' own texts; a test holds that they agree. -->\n\n# Checks: {}\n",
        family.name()
    );
    for check in REGISTRY.iter().filter(|check| check.family == family) {
        let _ = writeln!(out, "\n## {}\n\n{}.", check.id, capital(check.title));
        for (title, words) in sections(check) {
            let _ = writeln!(out, "\n**{title}**: {words}");
        }
    }
    out
}

fn sections(check: &Check) -> impl Iterator<Item = (&'static str, &'static str)> {
    let explain = &check.explain;
    [
        ("You will notice", check.symptom),
        ("How it is found", explain.how),
        ("Why it happens", explain.why),
        ("Fix", explain.fix),
        ("Not this if", explain.not_if),
        ("Seen in", explain.seen_in),
    ]
    .into_iter()
    .filter(|(_, words)| !words.is_empty())
}

fn capital(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
