//! Which sources failed when they were read last: what stands above every screen until they answer again. What needs a right
//! that this process does not have, and what this kernel does not have, does not change in a run: that is in the notes only.

use super::drops;
use crate::{
    facts::{
        Snapshot,
        files::{self, HostFiles},
    },
    inventory::Inventory,
    observed::Observed,
    sample::Sample,
};

/// Why, a line for each; those of the kernel's tables, without which rows are missing, first.
pub(super) fn unread(snapshot: &Snapshot, inventory: &Inventory, now: &Sample) -> Vec<String> {
    let Snapshot { pods, network, ipam, pci, runs, files, sriov, .. } = snapshot;
    let runtime = failure(&pods.sandboxes).and_then(|_| pods.runtime_trouble());
    let is_late = |files: &HostFiles| files.notes.iter().any(|note| note.value == files::LATE);
    let late = files.value().filter(|files| is_late(files)).map(|_| files::LATE.to_owned());
    let drops = failure(&now.drops).map(drops::uncounted);
    let (protocols, node) = (&now.node.protocols, &now.node);
    let others = [
        ("the kubelet's devices of pods", failure(&pods.devices)),
        ("the host's files", failure(files)),
        ("learned path MTUs of IPv4", failure(&network.pmtu_ipv4)),
        ("learned path MTUs of IPv6", failure(&network.pmtu_ipv6)),
        ("VLANs of bridges", failure(&network.bridge_vlans)),
        ("addresses given by host-local", failure(ipam)),
        ("functions on the PCI bus", failure(pci)),
        ("run records", failure(runs)),
        ("SR-IOV devices", failure(&sriov.pfs)),
        ("/proc/net/snmp", failure(&protocols.snmp)),
        ("/proc/net/netstat", failure(&protocols.netstat)),
        ("/proc/net/snmp6", failure(&protocols.snmp6)),
        ("receive queues", failure(&node.softnet)),
        ("connection tracking", failure(&node.conntrack)),
        ("counters of our programs", failure(&now.counted)),
    ];
    let others = others.into_iter().filter_map(|(what, why)| Some(format!("cannot read {what}: {}", why?)));
    (inventory.table_notes.iter().cloned())
        .chain(runtime)
        .chain(late)
        .chain(others)
        .chain(drops)
        .chain(now.problems.iter().cloned())
        .collect()
}

/// Why reading failed.
fn failure<T>(observed: &Observed<T>) -> Option<&str> {
    match observed {
        Observed::Failed { error } => Some(error),
        Observed::Value(_) | Observed::Absent | Observed::Denied { .. } | Observed::Unsupported { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::facts::{files::late, pods::PodFacts};

    #[test]
    fn what_failed_is_named_until_it_answers() {
        fn failed<T>() -> Observed<T> {
            Observed::Failed { error: "it did not answer".to_owned() }
        }
        let unread =
            |snapshot: &Snapshot, sample: &Sample| super::unread(snapshot, &Inventory::default(), sample);
        let (mut snapshot, mut sample) = (Snapshot::default(), Sample::default());
        assert_eq!(unread(&snapshot, &sample), Vec::<String>::new());
        snapshot.pods = Arc::new(PodFacts { sandboxes: failed(), ..PodFacts::default() });
        snapshot.files = Arc::new(failed());
        sample.node.conntrack = failed();
        sample.problems = vec!["cannot attach".to_owned()];
        assert_eq!(
            unread(&snapshot, &sample),
            [
                "cannot list pods from the container runtime (it did not answer); pod names come from files",
                "cannot read the host's files: it did not answer",
                "cannot read connection tracking: it did not answer",
                "cannot attach",
            ]
        );
        // Late, and never to be read: the one may change, the other not.
        let mut files = HostFiles::default();
        files.notes.push(late());
        snapshot.files = Arc::new(Observed::Value(files));
        let denied = Observed::Denied { need: "root".to_owned() };
        snapshot.pods = Arc::new(PodFacts { sandboxes: denied, ..PodFacts::default() });
        sample = Sample::default();
        let late = unread(&snapshot, &sample);
        assert!(late.len() == 1 && late[0].starts_with("reading the host's files"), "{late:?}");
        snapshot.files = Arc::new(Observed::Value(HostFiles::default()));
        assert_eq!(unread(&snapshot, &sample), Vec::<String>::new());
    }
}
