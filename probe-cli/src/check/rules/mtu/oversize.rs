//! What else shows that packets do not fit, as evidence of findings that are there for another reason: the kernel's own counters, and
//! the messages about tunnels' packets that our programs saw. No finding of its own: one such packet is how a sender learns.

use std::cmp::Reverse;

use super::{
    super::{prelude::*, window},
    paths,
};
use crate::model::{
    Oversize, PmtuEventRow, PodLearnedMtu, PodRow, PodsLearned, PodsProbing, Syns, pods_learned, pods_probing,
};

/// Messages that are named, and pods.
const NAMED: usize = 3;

/// One counter, what it counts in words, and its name.
type Counter = (fn(&Oversize) -> Option<u64>, &'static str, &'static str);

const DROPPED: [Counter; 3] = [
    (|of| of.ipv4.too_big, "IPv4 packets dropped as too big", "Ip:FragFails"),
    (|of| of.ipv6.too_big, "IPv6 packets dropped as too big", "Ip6FragFails"),
    (|of| of.tcp_probes_lost, "larger path MTUs that TCP tried and lost", "TcpExt:TCPMTUPFail"),
];

const FRAGMENTS: [Counter; 4] = [
    (|of| of.ipv4.fragments_made, "IPv4 fragments made", "Ip:FragCreates"),
    (|of| of.ipv6.fragments_made, "IPv6 fragments made", "Ip6FragCreates"),
    (|of| of.ipv4.reassembly_failures, "IPv4 fragments not put together", "Ip:ReasmFails"),
    (|of| of.ipv6.reassembly_failures, "IPv6 fragments not put together", "Ip6ReasmFails"),
];

/// With which pods were told so, what the kernel dropped as too big, who on the way says that tunnels' packets are, which pods ask for
/// segments that are, and whether TCP of pods hides it.
pub(super) fn dropped(finding: Finding, model: &Model) -> Finding {
    let finding = paths(model).fold(finding, |finding, path| told(finding, &pods_learned(model, path)));
    hidden(announced(said(counted_of(finding, model, &DROPPED), model), model), model)
}

/// With what pods were told, of which pod and for which destination.
fn told(finding: Finding, learned: &PodsLearned) -> Finding {
    const SOURCE: &str = "ip route show cache, in the pod";
    let named = |finding: Finding, told: &PodLearnedMtu| {
        let expires =
            told.expires_s.map_or_else(String::new, |seconds| format!(", forgotten in {seconds} s"));
        let value = format!("{} for {}{expires}", told.mtu, told.destination);
        finding.seen(format!("pod {} was told", escape(&told.pod)), value, SOURCE)
    };
    let finding = learned.rows.iter().take(NAMED).fold(finding, named);
    match learned.rows.len().checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => finding.seen("pods were told, more", more, SOURCE),
        None => finding,
    }
}

/// With the pods whose TCP finds what fits by itself.
fn hidden(finding: Finding, model: &Model) -> Finding {
    match pods_probing(model) {
        Some(PodsProbing { on, read }) if on > 0 => finding.seen(
            "TCP finds what fits by itself, UDP and ping do not",
            format!("in {on} of {}", counted(read, "pod")),
            "sysctl net.ipv4.tcp_mtu_probing",
        ),
        Some(_) | None => finding,
    }
}

/// With the pods whose connections ask for segments that do not fit.
pub(super) fn announced(finding: Finding, model: &Model) -> Finding {
    let mut pods: Vec<&PodRow> = model.pods.iter().filter(|row| row.syns.tx.over_budget > 0).collect();
    pods.sort_by_key(|row| Reverse(row.syns.tx.over_budget));
    pods.into_iter().take(NAMED).fold(finding, |finding, row| {
        let Syns { segments, over_budget, largest_mss } = row.syns.tx;
        finding.seen(
            sender(row),
            format!(
                "{over_budget} of {segments} SYNs ask for larger segments than fit, up to {largest_mss} bytes"
            ),
            "MSS on transmit (eBPF)",
        )
    })
}

/// The pod, or what else sends.
pub(super) fn sender(row: &PodRow) -> String {
    row.pod.as_ref().map_or_else(|| "others, or the node itself".to_owned(), |pod| escape(&pod.label()))
}

/// With the fragments that the kernel made and could not put together.
pub(super) fn fragments(finding: Finding, model: &Model) -> Finding {
    counted_of(finding, model, &FRAGMENTS)
}

/// Those of the counters that count something: a node is up for long, and what is zero shows nothing.
fn counted_of(finding: Finding, model: &Model, counters: &[Counter]) -> Finding {
    let counted = counters.iter().filter_map(|(of, words, name)| {
        let total = of(&model.oversize).filter(|total| *total > 0)?;
        let meanwhile = model.window.as_ref().and_then(|window| of(&window.oversize));
        let meanwhile =
            meanwhile.map_or_else(String::new, |grown| format!("{grown} {}, ", window::over(model)));
        Some((*words, format!("{meanwhile}{total} since boot"), *name))
    });
    counted.fold(finding, |finding, (words, value, name)| finding.seen(words, value, name))
}

fn said(finding: Finding, model: &Model) -> Finding {
    let mut named: Vec<&PmtuEventRow> = Vec::new();
    for event in &model.pmtu_events {
        let is_same = |known: &&PmtuEventRow| {
            (known.reporter, known.destination, known.mtu) == (event.reporter, event.destination, event.mtu)
        };
        if named.len() < NAMED && !named.iter().any(is_same) {
            named.push(event);
        }
    }
    named.into_iter().fold(finding, |finding, event| {
        let mtu = event.mtu.map_or_else(|| "no MTU".to_owned(), |mtu| mtu.to_string());
        let what = format!("\"too big\" from {}", event.reporter);
        finding.seen(what, format!("{mtu} to {}", event.destination), "ICMP messages (eBPF)")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Condition, OversizeCounts, PerDirection, Window, pods_probing::testdata::inside};

    fn evidence(finding: Finding) -> Vec<(String, String)> {
        finding.evidence.into_iter().map(|seen| (seen.what, seen.value)).collect()
    }

    #[test]
    fn what_counts_something_is_evidence_and_who_says_so_is_named_once() {
        let ipv4 = OversizeCounts { too_big: Some(9), fragments_made: Some(0), ..OversizeCounts::default() };
        let oversize = Oversize { ipv4, tcp_probes_lost: Some(2), ..Oversize::default() };
        let grown = Oversize { ipv4: OversizeCounts { too_big: Some(3), ..ipv4 }, ..Oversize::default() };
        let event = PmtuEventRow {
            tunnel_name: "flannel.1".to_owned(),
            age: Duration::from_secs(1),
            reporter: "192.0.2.254".parse().unwrap(),
            destination: "192.0.2.2".parse().unwrap(),
            mtu: Some(1400),
        };
        let later = PmtuEventRow { age: Duration::ZERO, ..event.clone() };
        let mut model = Model { oversize, pmtu_events: vec![event, later], ..Model::default() };
        let finding = || Finding::new(Warn, SubjectKind::Node, "node1", "Something.".to_owned());
        let said = ("\"too big\" from 192.0.2.254".to_owned(), "1400 to 192.0.2.2".to_owned());
        let of = |words: &str, value: &str| (words.to_owned(), value.to_owned());
        let lost = of("larger path MTUs that TCP tried and lost", "2 since boot");
        assert_eq!(
            evidence(dropped(finding(), &model)),
            [of("IPv4 packets dropped as too big", "9 since boot"), lost.clone(), said.clone()]
        );
        model.window = Some(Window { length: Duration::from_secs(2), oversize: grown, ..Window::default() });
        assert_eq!(
            evidence(dropped(finding(), &model)),
            [of("IPv4 packets dropped as too big", "3 in 2.0 s, 9 since boot"), lost, said]
        );
        assert_eq!(evidence(fragments(finding(), &model)), []);

        // Where nothing is counted and TCP of no pod hides anything, nothing is said of it.
        let mut model = Model::default();
        for (setting, expected) in [(0, None), (1, Some("in 1 of 2 pods"))] {
            std::sync::Arc::make_mut(&mut model.snapshot).inside = inside(&[Some(setting), Some(0)]);
            let found = evidence(dropped(finding(), &model));
            assert_eq!(found.first().map(|(_, value)| value.as_str()), expected);
        }
    }

    #[test]
    fn pods_that_ask_for_more_than_fits_are_named() {
        let row = |over_budget| PodRow {
            pod: None,
            gone: 0,
            condition: Condition::Unchecked,
            flow: PerDirection::default(),
            syns: PerDirection {
                tx: Syns { segments: 9, over_budget, largest_mss: 1460 },
                rx: Syns::default(),
            },
            interfaces: Vec::new(),
        };
        let model = Model { pods: vec![row(0), row(2)], ..Model::default() };
        let finding = Finding::new(Warn, SubjectKind::Node, "node1", "Something.".to_owned());
        let words = "2 of 9 SYNs ask for larger segments than fit, up to 1460 bytes";
        assert_eq!(
            evidence(announced(finding, &model)),
            [("others, or the node itself".to_owned(), words.to_owned())]
        );
    }
}
