//! What is known of one pod, and of its interfaces to secondary networks.

use super::{Fact, drops};
use crate::{
    model::{
        Condition, Disagreement, Disputed, InterfaceRow, Model, PerDirection, Pod, PodInterface, PodRow,
        PodsLearned, Syns, pod_learned,
    },
    text,
    tui::{
        measure::Measure,
        rate::{self, Rate},
        subject::Subject,
    },
};

/// All of it but the interfaces: who it is and who says so, then what it carried.
pub(super) fn facts(row: &PodRow, model: &Model) -> Vec<Fact> {
    let mut facts = match &row.pod {
        Some(pod) => named(pod),
        None if row.gone > 0 => {
            vec![("gone", format!("what {} pods carried that are not there any more", row.gone), false)]
        }
        None => other(model),
    };
    if row.condition == Condition::Gone && row.pod.is_some() {
        facts.insert(0, ("state", "gone".to_owned(), false));
    }
    match Subject::Pod(row).flow() {
        Some(flow) => facts.extend(super::carried(flow)),
        None => facts.push(("carried", "- (counted with the node's own, in \"other\")".to_owned(), false)),
    }
    facts.extend(syns(&row.syns));
    facts.extend(row.pod.iter().filter_map(|pod| told(&pod_learned(model, pod))));
    facts.extend(row.pod.iter().flat_map(|pod| drops::of_pod(pod, model)));
    facts
}

/// The segment sizes that connections of the pod begin with. One that is too large is no alarm: the path MTU lowers it, where
/// messages about it arrive.
fn syns(syns: &PerDirection<Syns>) -> Option<Fact> {
    let words = |syns: &Syns| match syns {
        Syns { segments: 0, .. } => "-".to_owned(),
        Syns { segments, over_budget: 0, .. } => {
            format!("up to {} in {} SYNs", syns.largest_mss, text::si(*segments as f64))
        }
        Syns { segments, over_budget, .. } => format!(
            "up to {} in {} SYNs, {} too large for the tunnel",
            syns.largest_mss,
            text::si(*segments as f64),
            text::si(*over_budget as f64)
        ),
    };
    (syns.tx.segments + syns.rx.segments > 0)
        .then(|| ("MSS", format!("TX {}; RX {}", words(&syns.tx), words(&syns.rx)), false))
}

/// The path MTUs that it was told by ICMP.
fn told(learned: &PodsLearned) -> Option<Fact> {
    const NAMED: usize = 3;
    let mut words: Vec<String> = learned
        .rows
        .iter()
        .take(NAMED)
        .map(|told| {
            let expires = told.expires_s.map_or_else(String::new, |seconds| format!(" ({seconds} s more)"));
            format!("{} for {}{expires}", told.mtu, told.destination)
        })
        .collect();
    let more = learned.rows.len().saturating_sub(NAMED) as u64 + learned.left_out;
    words.extend((more > 0).then(|| format!("{more} more")));
    (!words.is_empty()).then(|| ("told MTU", words.join(", "), false))
}

/// A fact for each secondary interface.
pub(super) fn interfaces(row: &PodRow, measure: Measure) -> Vec<Fact> {
    let secondary = row.interfaces.iter().filter(|row| !row.interface.is_default);
    secondary.map(|row| ("secondary", interface(row, measure), !row.interface.up)).collect()
}

/// What no pod's slot counts.
fn other(model: &Model) -> Vec<Fact> {
    let words = "the host's own traffic, unknown addresses, pods beyond the limit";
    let mut facts = vec![("other", words.to_owned(), false)];
    if model.observer.pods_without_slot > 0 {
        facts.push(("no slot", format!("{} pods", model.observer.pods_without_slot), true));
    }
    facts
}

fn named(pod: &Pod) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    if pod.host_network {
        facts.push(("network", "on the node's network".to_owned(), false));
    } else {
        facts.push(("addresses", list(&pod.addresses), false));
        let by = pod.host_evidence.map_or_else(String::new, |by| format!(", by {}", by.words()));
        facts.push(("host veth", format!("{}{by}", or_dash(pod.host_ifname.as_deref())), false));
    }
    facts.push(("known from", pod.source.words().to_owned(), false));
    facts.push(("UID", or_dash(pod.uid.as_deref()), false));
    facts.push(("Multus", or_dash(pod.requested_networks.as_deref()), false));
    facts.extend(pod.disagreements.iter().map(disputed));
    facts
}

fn disputed(other: &Disagreement) -> Fact {
    let about = match other.about {
        Disputed::HostInterface => "host veth",
        Disputed::Addresses => "addresses",
    };
    ("disputed", format!("{} says {about} {}", other.evidence.words(), text::escape(&other.says)), true)
}

/// `net1: macvlan on eth0, MTU 1500, network shop/lan, 192.0.2.9/24; TX 1.2 kbit/s, RX -`.
fn interface(row: &InterfaceRow, measure: Measure) -> String {
    let interface = &row.interface;
    let network = or_dash(interface.network.as_deref());
    let addresses = match list(&interface.addresses) {
        none if interface.addresses.is_empty() => format!("addresses {none}"),
        some => some,
    };
    let rate = |rate: Option<Rate>| rate::words(rate.map(|rate| rate.of(measure)), measure);
    format!(
        "{}: {}, MTU {}{}, network {network}, {addresses}; TX {}, RX {}",
        text::escape(&interface.name),
        kind(interface),
        interface.mtu,
        if interface.up { "" } else { ", DOWN" },
        rate(row.rate.and_then(|rate| Rate::of_link(&rate.tx))),
        rate(row.rate.and_then(|rate| Rate::of_link(&rate.rx))),
    )
}

/// What it is, and what of the node is behind it.
fn kind(interface: &PodInterface) -> String {
    let kind = interface.kind.as_deref().map_or_else(|| "hardware".to_owned(), text::escape);
    match (&interface.parent, &interface.hardware, kind.as_str()) {
        (Some(parent), _, "veth") => format!("{kind} in {}", text::escape(parent)),
        (Some(parent), ..) => format!("{kind} on {}", text::escape(parent)),
        (None, Some(hardware), _) => format!("{kind} {}", text::escape(hardware)),
        // The host end of a veth need not be in a bridge.
        (None, None, "veth") => kind,
        (None, None, "hardware") => format!("{kind} -"),
        (None, None, _) => format!("{kind} on -"),
    }
}

fn or_dash(words: Option<&str>) -> String {
    words.map_or_else(|| "-".to_owned(), text::escape)
}

fn list<T: ToString>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_an_interface_is_said_as_far_as_it_is_known() {
        let said = |kind: Option<&str>, parent: Option<&str>, hardware: Option<&str>| {
            super::kind(&PodInterface {
                kind: kind.map(str::to_owned),
                parent: parent.map(str::to_owned),
                hardware: hardware.map(str::to_owned),
                ..PodInterface::default()
            })
        };
        for (kind, parent, hardware, words) in [
            (Some("macvlan"), Some("eth0"), None, "macvlan on eth0"),
            (Some("macvlan"), None, None, "macvlan on -"),
            (Some("veth"), Some("br0"), None, "veth in br0"),
            (Some("veth"), None, None, "veth"),
            (None, None, Some("0000:01:10.0"), "hardware 0000:01:10.0"),
            (None, None, None, "hardware -"),
        ] {
            assert_eq!(said(kind, parent, hardware), words);
        }
    }

    #[test]
    fn an_mss_that_the_tunnel_does_not_carry_is_said() {
        let tx = Syns { segments: 12, over_budget: 3, largest_mss: 1460 };
        let rx = Syns { segments: 9, over_budget: 0, largest_mss: 1410 };
        let words = |tx, rx| syns(&PerDirection { tx, rx }).map(|(_, words, _)| words);
        let said = "TX up to 1460 in 12 SYNs, 3 too large for the tunnel; RX up to 1410 in 9 SYNs";
        assert_eq!(words(tx, rx).as_deref(), Some(said));
        assert_eq!(words(Syns::default(), rx).as_deref(), Some("TX -; RX up to 1410 in 9 SYNs"));
        assert_eq!(words(Syns::default(), Syns::default()), None);
    }

    #[test]
    fn what_a_pod_was_told_is_said_and_that_there_is_more() {
        use crate::model::PodLearnedMtu;
        let row = |expires_s| PodLearnedMtu {
            pod: "shop/a-0".to_owned(),
            destination: "10.42.2.7".parse().unwrap(),
            mtu: 1450,
            expires_s,
        };
        let said = |rows, left_out| told(&PodsLearned { rows, left_out }).map(|(_, words, _)| words);
        assert_eq!(said(Vec::new(), 0), None);
        let one = "1450 for 10.42.2.7 (180 s more)";
        assert_eq!(said(vec![row(Some(180))], 0).as_deref(), Some(one));
        let words = said(vec![row(Some(180)), row(None), row(None), row(None)], 2).unwrap();
        assert_eq!(words, format!("{one}, 1450 for 10.42.2.7, 1450 for 10.42.2.7, 3 more"));
    }

    #[test]
    fn what_is_not_known_of_an_interface_is_not_zero() {
        let row = InterfaceRow {
            interface: PodInterface { name: "net1".to_owned(), up: true, ..PodInterface::default() },
            counters: None,
            rate: None,
        };
        let words = "net1: hardware -, MTU 0, network -, addresses -; TX -, RX -";
        assert_eq!(interface(&row, Measure::OuterBits), words);
    }
}
