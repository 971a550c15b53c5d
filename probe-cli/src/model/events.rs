//! What became another between two models of a run: what appeared, went or was changed, and how long nothing arrived. Pure. Faults are
//! judged elsewhere, and words are made by who shows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{Model, PeerRow};
use crate::facts::netlink::LinkFact;

/// What something happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventSubject {
    /// A tunnel's device.
    Tunnel,
    /// A device below a tunnel.
    Underlay,
    /// A peer, or the node that it is.
    Peer,
    /// A pod.
    Pod,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happened {
    /// It was not there before.
    Appeared,
    /// It is not there any more.
    Went,
    /// A device of the same name was deleted and made.
    MadeAgain,
    /// Its MTU is another one: before and now.
    Mtu(u32, u32),
    /// It was set up, or set down.
    Set {
        /// Now it is up.
        up: bool,
    },
    /// It lost its carrier, or has it again.
    Carrier {
        /// Now it has one.
        there: bool,
    },
    /// It received packets with every sample for a while, and then none for two.
    Silent,
    /// It receives packets again, after so long without any. As exact as samples are close.
    Resumed(Duration),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelEvent {
    /// What kind of thing.
    pub subject: EventSubject,
    /// Its name. Hostile input: escape before showing.
    pub name: String,
    /// What happened to it.
    pub happened: Happened,
}

/// What happens in a run, model by model.
#[derive(Clone, Debug, Default)]
pub struct EventStream {
    last: Option<Arc<Model>>,
    silences: Silences,
}

impl EventStream {
    /// What happened until this model, since the one before.
    pub fn next(&mut self, model: &Arc<Model>) -> Vec<ModelEvent> {
        let mut events = self.last.as_ref().map(|last| between(last, model)).unwrap_or_default();
        events.extend(self.silences.next(model));
        self.last = Some(Arc::clone(model));
        events
    }
}

/// What differs in what exists, by subject and name.
pub fn between(before: &Model, now: &Model) -> Vec<ModelEvent> {
    let mut events = Vec::new();
    let mut add =
        |subject, name: &str, happened| events.push(ModelEvent { subject, name: name.to_owned(), happened });
    for (ifindex, name, subject) in devices(now) {
        let (Some(old), Some(new)) = (link(before, ifindex), link(now, ifindex)) else { continue };
        if old.mtu != new.mtu {
            add(subject, &name, Happened::Mtu(old.mtu, new.mtu));
        }
        if old.up != new.up {
            add(subject, &name, Happened::Set { up: new.up });
        }
        // One that is set down has none.
        if let (true, true, Some(was), Some(there)) = (old.up, new.up, old.carrier, new.carrier)
            && was != there
        {
            add(subject, &name, Happened::Carrier { there });
        }
    }
    // The same inventory has the same rows; while a table cannot be read, what is missing may be there.
    let is_whole = [before, now].iter().all(|model| model.inventory.table_notes.is_empty());
    if Arc::ptr_eq(&before.inventory, &now.inventory) || !is_whole {
        return events;
    }
    let tunnels = |model: &Model| -> BTreeMap<String, u32> {
        model.tunnels.iter().map(|row| (row.tunnel.name.clone(), row.tunnel.ifindex)).collect()
    };
    let (old, new) = (tunnels(before), tunnels(now));
    for (name, ifindex) in &new {
        if old.get(name).is_some_and(|was| was != ifindex) {
            add(EventSubject::Tunnel, name, Happened::MadeAgain);
        }
    }
    let names = |map: BTreeMap<String, u32>| map.into_keys().collect::<BTreeSet<_>>();
    let mut differ = |subject, old: &BTreeSet<String>, new: &BTreeSet<String>| {
        old.difference(new).for_each(|name| add(subject, name, Happened::Went));
        new.difference(old).for_each(|name| add(subject, name, Happened::Appeared));
    };
    differ(EventSubject::Tunnel, &names(old), &names(new));
    let peers = |model: &Model| model.nodes().iter().filter_map(PeerRow::label).collect();
    differ(EventSubject::Peer, &peers(before), &peers(now));
    let pods = |model: &Model| {
        let pods = model.pods.iter().filter_map(|row| row.pod.as_ref());
        pods.map(|pod| pod.label()).collect()
    };
    differ(EventSubject::Pod, &pods(before), &pods(now));
    events
}

/// Tunnels, and the devices below them.
fn devices(model: &Model) -> BTreeSet<(u32, String, EventSubject)> {
    let tunnels = model.tunnels.iter().map(|row| &row.tunnel);
    let of = |ifindex: u32, name: &str, subject| (ifindex, name.to_owned(), subject);
    tunnels
        .flat_map(|tunnel| {
            let below =
                tunnel.underlays().map(|below| of(below.ifindex, &below.name, EventSubject::Underlay));
            below.chain([of(tunnel.ifindex, &tunnel.name, EventSubject::Tunnel)]).collect::<Vec<_>>()
        })
        .collect()
}

fn link(model: &Model, ifindex: u32) -> Option<&LinkFact> {
    model.snapshot.netlink.links.iter().find(|link| link.ifindex == ifindex)
}

/// Samples in a row with packets, before their end is an interruption and not the end of a few.
const STEADY: u32 = 10;
/// Samples in a row without.
const SILENT: u32 = 2;
/// After so long nobody waits for the rest.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// What is followed: a tunnel by its name, a node by its first address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Followed {
    Tunnel(String),
    Node(IpAddr),
}

/// Who received packets steadily, and since when no more.
#[derive(Clone, Debug, Default)]
pub struct Silences(BTreeMap<Followed, Track>);

#[derive(Clone, Debug)]
struct Track {
    name: String,
    /// Samples in a row with packets.
    steady: u32,
    /// Samples in a row without, since then.
    silent: u32,
    /// Time of the last sample with packets.
    last: Duration,
}

impl Silences {
    /// Follows the next model.
    pub fn next(&mut self, model: &Model) -> Vec<ModelEvent> {
        let mut received: BTreeMap<Followed, (String, Option<f64>)> = BTreeMap::new();
        for row in &model.tunnels {
            let rate = row.flow.rx.rate.map(|rate| rate.packets_per_s);
            received.insert(Followed::Tunnel(row.tunnel.name.clone()), (row.tunnel.name.clone(), rate));
        }
        for row in model.nodes() {
            let address = row.peers().find_map(|peer| peer.node_address);
            let Some((address, name)) = address.zip(row.label()) else { continue };
            let rate = row.flow.rx.rate.map(|rate| rate.packets_per_s);
            received.insert(Followed::Node(model.node_of(address)), (name, rate));
        }
        let mut events = Vec::new();
        let mut add = |followed: &Followed, name: &str, happened| {
            let subject = match followed {
                Followed::Tunnel(_) => EventSubject::Tunnel,
                Followed::Node(_) => EventSubject::Peer,
            };
            events.push(ModelEvent { subject, name: name.to_owned(), happened });
        };
        self.0.retain(|followed, track| {
            // A switch of the backend takes a peer away for a while.
            let (name, rate) = match received.remove(followed) {
                Some((name, rate)) => (name, rate),
                None => (track.name.clone(), Some(0.0)),
            };
            track.name = name;
            let Some(rate) = rate else { return true };
            if rate > 0.0 {
                if track.silent >= SILENT {
                    add(followed, &track.name, Happened::Resumed(model.time.saturating_sub(track.last)));
                }
                // One sample without is no interruption, and no steady stream either.
                track.steady = if track.silent == 1 { 1 } else { track.steady.saturating_add(1) };
                (track.silent, track.last) = (0, model.time);
                return true;
            }
            if track.steady < STEADY {
                return false;
            }
            track.silent = track.silent.saturating_add(1);
            if track.silent == SILENT {
                add(followed, &track.name, Happened::Silent);
            }
            model.time.saturating_sub(track.last) < FORGOTTEN
        });
        for (followed, (name, rate)) in received {
            if rate.is_some_and(|rate| rate > 0.0) {
                self.0.insert(followed, Track { name, steady: 1, silent: 0, last: model.time });
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::testdata::Node,
        inventory::testdata::{ETH0, FLANNEL},
    };

    fn happened(before: &Node, now: &Node) -> Vec<(EventSubject, String, Happened)> {
        let events = between(&before.model(), &now.model());
        events.into_iter().map(|event| (event.subject, event.name, event.happened)).collect()
    }

    /// What somebody does to a node.
    type Change = fn(&mut Node);

    #[test]
    fn what_differs_between_two_models_is_said_once() {
        use EventSubject::{Pod, Tunnel, Underlay};
        use Happened::{Carrier, Mtu, Set, Went};
        assert_eq!(happened(&Node::canal(), &Node::canal()), []);
        let changes: [(Change, (EventSubject, &str, Happened)); 5] = [
            (|node| link_of(node, ETH0).mtu = 1400, (Underlay, "eth0", Mtu(1500, 1400))),
            (|node| link_of(node, ETH0).up = false, (Underlay, "eth0", Set { up: false })),
            (|node| link_of(node, ETH0).carrier = Some(false), (Underlay, "eth0", Carrier { there: false })),
            (|node| link_of(node, FLANNEL).up = false, (Tunnel, "flannel.1", Set { up: false })),
            (
                |node| {
                    node.facts().links.retain(|link| link.ifindex != 20);
                    node.facts().routes.ipv4.retain(|route| route.ifindex != Some(20));
                },
                (Pod, "(cali20)", Went),
            ),
        ];
        for (change, (subject, name, what)) in changes {
            let (mut before, mut now) = (Node::canal(), Node::canal());
            link_of(&mut before, ETH0).carrier = Some(true);
            link_of(&mut now, ETH0).carrier = Some(true);
            change(&mut now);
            assert_eq!(happened(&before, &now), [(subject, name.to_owned(), what)]);
        }
    }

    fn link_of(node: &mut Node, ifindex: u32) -> &mut LinkFact {
        node.facts().links.iter_mut().find(|link| link.ifindex == ifindex).unwrap()
    }

    /// What is said when the tunnel receives as the letters say: `x` packets, `.` none, `?` unknown; by second.
    fn said(samples: &str) -> Vec<(u64, Happened)> {
        let (mut silences, mut said) = (Silences::default(), Vec::new());
        for (second, letter) in (0..).zip(samples.chars()) {
            let mut model = crate::model::testdata::model();
            model.time = Duration::from_secs(second);
            model.peers.clear();
            model.nodes.take();
            model.tunnels.truncate(1);
            let rate = model.tunnels[0].flow.rx.rate.as_mut().unwrap();
            rate.packets_per_s = if letter == 'x' { 7.0 } else { 0.0 };
            if letter == '?' {
                model.tunnels[0].flow.rx.rate = None;
            }
            said.extend(silences.next(&model).into_iter().map(|event| (second, event.happened)));
        }
        said
    }

    #[test]
    fn a_steady_stream_that_stops_and_goes_on_was_interrupted() {
        let resumed = |seconds| Happened::Resumed(Duration::from_secs(seconds));
        assert_eq!(said("xxxxxxxxxx...xxx"), [(11, Happened::Silent), (13, resumed(4))]);
        // Unknown is not silent.
        assert_eq!(said("xxxxxxxxxx???xxx"), []);
        assert_eq!(said("xxxxxxxxxx.?.xxx"), [(12, Happened::Silent), (13, resumed(4))]);
        for usual in ["x.x.x.x.x.x.x.x.x.x.x..x", "xxxxx....xxxxx....", "xxxxxxxxxx.xxxxx..xx", "......", ""]
        {
            assert_eq!(said(usual), [], "{usual}");
        }
        let long = format!("xxxxxxxxxx{}x", ".".repeat(700));
        assert_eq!(said(&long), [(11, Happened::Silent)], "nobody waits for it any more");
    }
}
