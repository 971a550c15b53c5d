//! Which fault of the lab proves which check: `lab fault --list`, and the page in `docs/checks`.

use std::fmt::Write as _;

use crate::check::{FAULTS, Fault, Plane, REGISTRY, faults_of, why_without};

/// Faults by name, with the checks that find them.
pub fn faults() -> String {
    let mut out = String::new();
    let width = FAULTS.iter().map(|fault| fault.name.len()).max().unwrap_or(0);
    let checks = FAULTS.iter().map(|fault| fault.raises.len()).max().unwrap_or(0);
    for fault in FAULTS {
        let _ = writeln!(out, "{:<width$}  {:<checks$}  {}", fault.name, fault.raises, fault.what);
    }
    out
}

/// The page, Markdown.
pub fn faults_page() -> String {
    let proven = REGISTRY.iter().filter(|check| faults_of(check.id).next().is_some()).count();
    let mut out = format!(
        "<!-- Made from the lists of checks and faults; a test holds that they agree. -->\n\n# What proves the checks\n\n\
         `overlay-probe lab fault NAME` gives a running lab a fault, `lab fault --undo` takes it away. Tests make each of them on \
         a healthy lab: its check finds it, no unrelated one finds anything, and undone the node is healthy again. {proven} of \
         {} checks are proven so; for each of the other ones the table says why it is \
         not.\n\n\
         | Check | Fault | What it does | Where |\n| --- | --- | --- | --- |\n",
        REGISTRY.len()
    );
    for check in REGISTRY {
        for fault in faults_of(check.id) {
            let _ = writeln!(out, "| {} | `{}` | {} | {} |", check.id, fault.name, fault.what, place(fault));
        }
        if let Some((why, place)) = why_without(check.id) {
            let _ = writeln!(out, "| {} | - | {why} | {place} |", check.id);
        }
    }
    out
}

fn place(fault: &Fault) -> String {
    let mut place = match fault.plane {
        Plane::Any => "any lab".to_owned(),
        Plane::Vxlan => "VXLAN lab".to_owned(),
        Plane::Wireguard => "WireGuard lab, in a virtual machine where the kernel has none".to_owned(),
    };
    if fault.needs_old_kernel {
        place += ", kernels without WireGuard";
    }
    if let Some((major, minor)) = fault.since_kernel {
        let _ = write!(place, ", kernels from {major}.{minor} on");
    }
    if fault.needs_traffic {
        place += ", with traffic";
    }
    if fault.needs_probes {
        place += ", with --probe";
    }
    place
}
