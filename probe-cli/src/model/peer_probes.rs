//! What probes to other nodes come to, beside the peer that each goes to.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::{Model, PeerRow};
use crate::{
    facts::PeerKey,
    observed::Observed,
    sample::{PathProbes, RoundTrips, Sample, Signal},
    text,
};

/// What is sent, for who looks at the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// Paths.
    pub paths: usize,
    /// Between two small probes of a path.
    pub every: Duration,
    /// Paths beyond the bound, to which nothing is sent.
    pub left_out: u64,
}

/// A path to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPath {
    /// Through the tunnel; else to the node's own address.
    pub is_inside: bool,
    /// What was sent, and what it came to.
    pub probes: PathProbes,
}

/// What the paths of a peer come to together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PeerAnswers {
    /// Of the slowest path through the tunnel, else of the slowest to the node; none before an answer.
    pub round_trips: Option<RoundTrips>,
    /// Small probes lost on the path that loses most, in percent.
    pub lost_percent: Option<f64>,
    /// The same of large probes.
    pub large_lost_percent: Option<f64>,
}

impl PeerRow {
    /// What its paths come to; none where nothing is sent to it.
    pub fn answers(&self) -> Option<PeerAnswers> {
        let slowest = |is_inside| {
            let paths = self.paths.iter().filter(|path| path.is_inside == is_inside);
            paths.filter_map(|path| path.probes.round_trips).max_by_key(|trips| trips.p50)
        };
        let most = |of: fn(&PathProbes) -> Option<f64>| {
            self.paths.iter().filter_map(|path| of(&path.probes)).max_by(f64::total_cmp)
        };
        (!self.paths.is_empty()).then(|| PeerAnswers {
            round_trips: slowest(true).or_else(|| slowest(false)),
            lost_percent: most(|probes| probes.small.lost_percent()),
            large_lost_percent: most(|probes| probes.large.lost_percent()),
        })
    }
}

/// Puts beside each peer what was sent to it, and into the notes what is wrong.
pub(super) fn join(model: &mut Model, sample: &Sample) {
    model.probing = sample.peer_probes.as_ref().map(|probes| Probing {
        paths: probes.paths.len(),
        every: probes.every,
        left_out: probes.left_out,
    });
    match &sample.peer_probes {
        Observed::Value(probes) => {
            let by_address: BTreeMap<IpAddr, &PathProbes> =
                probes.paths.iter().map(|path| (path.address, path)).collect();
            let mut inside: BTreeMap<(u32, PeerKey), Vec<IpAddr>> = BTreeMap::new();
            for known in &model.inventory.tunnel_addresses {
                inside.entry((known.tunnel, known.key)).or_default().push(known.address);
            }
            for row in &mut model.peers {
                let Some(peer) = &row.peer else { continue };
                let own = peer.node_address.map(|address| (false, address));
                let through = inside.get(&(peer.tunnel, peer.key)).into_iter().flatten();
                let all = own.into_iter().chain(through.map(|address| (true, *address)));
                row.paths = all
                    .filter_map(|(is_inside, address)| {
                        Some(PeerPath { is_inside, probes: PathProbes::clone(by_address.get(&address)?) })
                    })
                    .collect();
            }
            model.notes.extend(notes(model));
            if probes.left_out > 0 {
                model.notes.push(format!(
                    "--probe-peers sends nothing on {} beyond the bound",
                    text::counted(usize::try_from(probes.left_out).unwrap_or(usize::MAX), "path")
                ));
            }
        }
        Observed::Absent => {}
        Observed::Denied { .. } | Observed::Failed { .. } | Observed::Unsupported { .. } => {
            let why = sample.peer_probes.trouble().unwrap_or_default();
            let note = format!("no probes are sent: {why}");
            if matches!(sample.peer_probes, Observed::Failed { .. }) {
                model.unread.push(note.clone());
            }
            model.notes.push(note);
        }
    }
}

/// What is wrong with paths, each once: several peers may have one address.
fn notes(model: &Model) -> Vec<String> {
    let mut seen = BTreeMap::new();
    for row in &model.peers {
        for path in &row.paths {
            seen.entry(path.probes.address).or_insert((row, &path.probes));
        }
    }
    let note = |(row, probes): &(&PeerRow, &PathProbes)| {
        let (name, address) = (text::escape(&row.label().unwrap_or_default()), probes.address.to_string());
        let who = if name == address { address } else { format!("{name}, {address}") };
        wrong(probes).map(|what| format!("{who}: {what}"))
    };
    seen.values().filter_map(note).collect()
}

/// What is wrong with a path, in words; none where nothing is, and while that is not known.
pub fn wrong(probes: &PathProbes) -> Option<String> {
    let PathProbes { size, small, large, answered_ago, .. } = probes;
    Some(match probes.signal {
        Signal::Unknown | Signal::Answered => return None,
        Signal::SomeLost => {
            format!("{} of {} small probes are lost", small.lost, small.sent)
        }
        Signal::RefusedHere => format!("this node's kernel refuses packets of {size} bytes as too big"),
        Signal::TooBig { from, mtu } => {
            format!("{from} says that packets of {size} bytes are too big, and asks for {mtu}")
        }
        Signal::LargeLost => format!(
            "a black hole: packets of {size} bytes are lost ({} of {}) while small ones are answered; `overlay-probe mtu` measures \
             what fits",
            large.lost, large.sent
        ),
        Signal::Unanswered => match answered_ago {
            Some(ago) => {
                format!("no probe is answered any more; the last answer came {} ago", text::age(Some(*ago)))
            }
            None => "no probe has been answered".to_owned(),
        },
    })
}

#[cfg(test)]
pub(crate) mod testdata {
    use std::sync::Arc;

    use super::*;
    use crate::{
        facts::pods::PodFacts,
        inventory::testdata::{flannel4, node, snapshot},
        model::once,
        sample::{Frame, PeerProbes, ProbeCounts},
    };

    pub(crate) fn probes(address: &str, p50_ms: u64, lost: u64, signal: Signal) -> PathProbes {
        let trips = |ms| Duration::from_millis(ms);
        PathProbes {
            address: address.parse().unwrap(),
            size: 1450,
            small: ProbeCounts { sent: 60, lost },
            large: ProbeCounts { sent: 6, lost: if signal == Signal::LargeLost { 6 } else { 0 } },
            round_trips: Some(RoundTrips { p50: trips(p50_ms), p99: trips(p50_ms * 2), jitter: trips(1) }),
            answered_ago: Some(trips(500)),
            signal,
        }
    }

    /// What is sent to two nodes, and to an address that is of no peer.
    pub(crate) fn watched() -> PeerProbes {
        let from = "192.0.2.254".parse().unwrap();
        let paths = vec![
            probes("10.42.2.0", 4, 0, Signal::LargeLost),
            probes("10.42.3.0", 2, 6, Signal::SomeLost),
            probes("192.0.2.2", 3, 0, Signal::Answered),
            probes("192.0.2.3", 3, 0, Signal::TooBig { from, mtu: 1400 }),
            PathProbes {
                round_trips: None,
                answered_ago: None,
                ..probes("198.51.100.1", 3, 60, Signal::Unanswered)
            },
        ];
        PeerProbes { every: Duration::from_secs(1), paths, left_out: 2 }
    }

    /// A node with two peers, of which somebody asked this.
    pub(crate) fn of(peer_probes: Observed<Box<PeerProbes>>) -> Arc<Model> {
        let snapshot = snapshot(&flannel4(node(), 2), &PodFacts::default(), &[]);
        let sample = Sample { peer_probes, ..Sample::default() };
        once(Frame { snapshot: snapshot.into(), sample })
    }

    pub(crate) fn model() -> Arc<Model> {
        of(Observed::Value(Box::new(watched())))
    }
}

#[cfg(test)]
mod tests {
    use super::{testdata::of, *};

    #[test]
    fn each_peer_has_its_paths_and_what_is_wrong_is_noted() {
        let model = testdata::model();
        let every = Duration::from_secs(1);
        assert_eq!(model.probing, Observed::Value(Probing { paths: 5, every, left_out: 2 }));
        let rows: Vec<&PeerRow> = model.peers.iter().filter(|row| row.peer.is_some()).collect();
        let inside = |row: &PeerRow| row.paths.iter().map(|path| path.is_inside).collect::<Vec<_>>();
        assert_eq!((inside(rows[0]), inside(rows[1])), (vec![false, true], vec![false, true]));
        let answers = rows[0].answers().unwrap();
        assert_eq!(answers.round_trips.unwrap().p50, Duration::from_millis(4), "through the tunnel");
        assert_eq!((answers.lost_percent, answers.large_lost_percent), (Some(0.0), Some(100.0)));
        assert_eq!(rows[1].answers().unwrap().lost_percent, Some(10.0));
        // Together on the screen.
        assert_eq!(model.nodes()[0].answers(), Some(answers));
        let notes = model.notes.join("\n");
        for said in [
            "192.0.2.2, 10.42.2.0: a black hole: packets of 1450 bytes are lost (6 of 6) while small ones are answered",
            "192.0.2.3, 10.42.3.0: 6 of 60 small probes are lost",
            "192.0.2.3: 192.0.2.254 says that packets of 1450 bytes are too big, and asks for 1400",
            "--probe-peers sends nothing on 2 paths beyond the bound",
        ] {
            assert!(notes.contains(said), "{notes}");
        }
        assert!(!notes.contains("198.51.100.1"), "{notes}");
    }

    #[test]
    fn nobody_asked_is_no_note_and_no_answer() {
        let absent = of(Observed::Absent);
        assert_eq!((&absent.probing, absent.peers[0].answers()), (&Observed::Absent, None));
        assert!(!absent.notes.iter().any(|note| note.contains("probe")), "{:?}", absent.notes);
        let denied = of(Observed::Denied { need: "CAP_NET_RAW".to_owned() });
        assert!(
            denied.notes.contains(&"no probes are sent: needs CAP_NET_RAW".to_owned()),
            "{:?}",
            denied.notes
        );
    }
}
