//! Captured dumps for tests: a node with flannel v4 and v6, hand-made tunnels and a pod (`testdata/topology.sh`), and one
//! with a link of each further kind and policy rules (`testdata/kinds.sh`).

use super::decode::{self, Frame, Neighbour, frames};
use crate::facts::netlink::Facts;

/// A table's name and the bytes of its dump.
pub(super) const DUMPS: [(&str, &[u8]); 9] = [
    ("links", include_bytes!("testdata/links.bin")),
    ("addresses", include_bytes!("testdata/addresses.bin")),
    ("routes4", include_bytes!("testdata/routes4.bin")),
    ("routes6", include_bytes!("testdata/routes6.bin")),
    ("neighbours", include_bytes!("testdata/neighbours.bin")),
    ("fdb", include_bytes!("testdata/fdb.bin")),
    ("kinds", include_bytes!("testdata/kinds.bin")),
    ("rules", include_bytes!("testdata/rules.bin")),
    ("policy_routes", include_bytes!("testdata/policy_routes.bin")),
];

/// The dump of a WireGuard device with four peers, and the answer with its family's number (`testdata/wireguard.sh`).
pub(super) const WIREGUARD: &[u8] = include_bytes!("testdata/wireguard.bin");
/// See [`WIREGUARD`].
pub(super) const WIREGUARD_FAMILY: &[u8] = include_bytes!("testdata/wireguard_family.bin");

/// The messages of one dump without the closing `NLMSG_DONE`.
pub(super) fn messages(table: &str) -> Vec<Frame<'static>> {
    let (_, bytes) = DUMPS.into_iter().find(|(name, _)| *name == table).unwrap();
    let mut frames: Vec<_> = frames(bytes).map(Result::unwrap).collect();
    assert_eq!(i32::from(frames.pop().unwrap().kind), libc::NLMSG_DONE);
    frames
}

/// What [`super::Source::facts`] makes of these dumps.
pub(crate) fn facts() -> Facts {
    let mut facts = Facts::default();
    for frame in messages("links") {
        facts.links.extend(decode::link(frame.payload).unwrap());
    }
    for frame in messages("addresses") {
        facts.addresses.extend(decode::address(frame.payload).unwrap());
    }
    for frame in messages("routes4").into_iter().chain(messages("routes6")) {
        for route in decode::routes(frame.payload).unwrap() {
            facts.routes.push(route);
        }
    }
    let of_tunnel = |ifindex| facts.links.iter().any(|link| link.ifindex == ifindex && link.vxlan.is_some());
    for frame in messages("neighbours").into_iter().chain(messages("fdb")) {
        match decode::neighbour(frame.payload).unwrap() {
            Some(Neighbour::Ip(fact)) if of_tunnel(fact.ifindex) => facts.neighbours.push(fact),
            Some(Neighbour::Fdb(fact)) if of_tunnel(fact.ifindex) => facts.fdb.push(fact),
            _ => {}
        }
    }
    facts
}
