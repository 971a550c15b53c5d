//! Real messages as notifications: what must be reported, and what must not.

use super::*;
use crate::netlink::testdata::{facts, messages};

fn known() -> Relevance {
    Relevance::new(facts().links)
}

/// The captured message of a table that satisfies `wanted`.
fn find<T>(table: &str, decode: impl Fn(&[u8]) -> T, wanted: impl Fn(T) -> bool) -> Vec<u8> {
    let found = messages(table).into_iter().find(|frame| wanted(decode(frame.payload)));
    found.unwrap_or_else(|| panic!("no such message in {table}")).payload.to_vec()
}

fn link_message(name: &str) -> Vec<u8> {
    find("links", decode::link, |link| link.unwrap().unwrap().name == name)
}

fn neighbour_message(ifindex: u32) -> Vec<u8> {
    find("neighbours", decode::neighbour, |entry| {
        entry.unwrap().is_some_and(|entry| entry.ifindex() == ifindex)
    })
}

/// Offset of an attribute's value.
fn value_of(message: &[u8], header: [u8; 4]) -> usize {
    message.windows(4).position(|window| window == header).unwrap() + 4
}

#[test]
fn links_are_reported_when_they_differ() {
    let mut relevance = known();
    let mut message = link_message("flannel.1");
    assert_eq!(relevance.apply(libc::RTM_NEWLINK, &message), None, "nothing new");
    let mtu = value_of(&message, [8, 0, 4, 0]);
    message[mtu..mtu + 4].copy_from_slice(&1400_u32.to_ne_bytes());
    assert_eq!(relevance.apply(libc::RTM_NEWLINK, &message), Some(ChangeKind::Links));
    assert_eq!(relevance.apply(libc::RTM_NEWLINK, &message), None, "known by now");
    message[8] &= 0xfe; // IFF_UP
    assert_eq!(relevance.apply(libc::RTM_NEWLINK, &message), Some(ChangeKind::Links));
    let ifindex = u32::from_ne_bytes([message[4], message[5], message[6], message[7]]);
    assert_eq!(relevance.apply(libc::RTM_DELLINK, &message), Some(ChangeKind::LinkGone(ifindex)));
    message[0] = 7; // AF_BRIDGE: a bridge's view of its port
    assert_eq!(relevance.apply(libc::RTM_NEWLINK, &message), None);
}

#[test]
fn a_nic_that_loses_its_carrier_is_reported_and_a_pods_end_is_not() {
    let mut relevance = Relevance::default();
    let nic = |carrier| LinkFact { ifindex: 2, up: true, carrier: Some(carrier), ..LinkFact::default() };
    let pod = |carrier| LinkFact { ifindex: 7, link_netns: Some(1), ..nic(carrier) };
    assert!(relevance.new_link(nic(true)) && relevance.new_link(pod(true)));
    assert!(relevance.new_link(nic(false)) && !relevance.new_link(nic(false)));
    assert!(!relevance.new_link(pod(false)), "a pod could make us read again and again");
}

#[test]
fn a_nic_that_waits_for_its_network_is_reported_and_a_state_that_follows_the_carrier_is_not() {
    let mut relevance = Relevance::default();
    let nic = |state| LinkFact {
        ifindex: 2,
        up: true,
        carrier: Some(true),
        oper_state: Some(state),
        ..LinkFact::default()
    };
    let pod = |state| LinkFact { ifindex: 7, link_netns: Some(1), ..nic(state) };
    assert!(relevance.new_link(nic(OperState::Up)) && relevance.new_link(pod(OperState::Up)));
    assert!(!relevance.new_link(nic(OperState::Down)));
    assert!(relevance.new_link(nic(OperState::Dormant)) && relevance.new_link(nic(OperState::Up)));
    assert!(!relevance.new_link(pod(OperState::Dormant)));
}

#[test]
fn addresses_are_reported_when_they_come_or_go() {
    let mut relevance = known();
    let message = messages("addresses")[1].payload;
    assert_eq!(relevance.apply(libc::RTM_NEWADDR, message), Some(ChangeKind::Addresses));
    assert_eq!(relevance.apply(libc::RTM_NEWADDR, message), None, "a lifetime was refreshed");
    assert_eq!(relevance.apply(libc::RTM_DELADDR, message), Some(ChangeKind::Addresses));
    assert_eq!(relevance.apply(libc::RTM_NEWADDR, message), Some(ChangeKind::Addresses));
}

#[test]
fn routes_of_the_main_table_are_reported() {
    let mut relevance = known();
    let mut message = messages("routes4")[0].payload.to_vec();
    assert_eq!(relevance.apply(libc::RTM_NEWROUTE, &message), Some(ChangeKind::Routes));
    assert_eq!(relevance.apply(libc::RTM_DELROUTE, &message), Some(ChangeKind::Routes));
    let table = value_of(&message, [8, 0, 15, 0]);
    message[table] = 255;
    assert_eq!(relevance.apply(libc::RTM_NEWROUTE, &message), None, "the local table");
}

#[test]
fn neighbours_of_tunnels_are_reported_and_others_not() {
    let mut relevance = known();
    let eth0 = neighbour_message(2);
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &eth0), None);
    assert_eq!(relevance.apply(libc::RTM_DELNEIGH, &eth0), None);

    let mut peer = neighbour_message(3);
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &peer), Some(ChangeKind::Neighbours));
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &peer), None, "said before");
    let mac = value_of(&peer, [10, 0, 2, 0]);
    peer[mac] ^= 2;
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &peer), Some(ChangeKind::Neighbours), "another MAC");
    peer[8..10].copy_from_slice(&libc::NUD_FAILED.to_ne_bytes());
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &peer), Some(ChangeKind::Neighbours), "failed");
    assert_eq!(relevance.apply(libc::RTM_DELNEIGH, &peer), Some(ChangeKind::Neighbours));
}

#[test]
fn neighbour_states_are_not_changes() {
    let mut relevance = known();
    let mut peer = neighbour_message(3);
    let reported: Vec<_> =
        [libc::NUD_REACHABLE, libc::NUD_STALE, libc::NUD_DELAY, libc::NUD_PROBE, libc::NUD_REACHABLE]
            .into_iter()
            .map(|state| {
                peer[8..10].copy_from_slice(&state.to_ne_bytes());
                relevance.apply(libc::RTM_NEWNEIGH, &peer)
            })
            .collect();
    assert_eq!(reported, [Some(ChangeKind::Neighbours), None, None, None, None]);
}

#[test]
fn fdb_entries_of_tunnels_are_reported_even_of_new_ones() {
    let fdb =
        find("fdb", decode::neighbour, |entry| entry.unwrap().is_some_and(|entry| entry.ifindex() == 3));
    let mut relevance = Relevance::default();
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &fdb), None, "not known as a tunnel");
    relevance.apply(libc::RTM_NEWLINK, &link_message("flannel.1"));
    assert_eq!(relevance.apply(libc::RTM_NEWNEIGH, &fdb), Some(ChangeKind::Fdb));
    assert_eq!(relevance.apply(libc::RTM_DELNEIGH, &fdb), Some(ChangeKind::Fdb));
}

#[test]
fn what_is_not_understood_may_be_anything() {
    let mut relevance = known();
    assert_eq!(relevance.apply(libc::RTM_NEWLINK, &[0; 7]), Some(ChangeKind::Everything));
    assert_eq!(relevance.apply(libc::RTM_NEWRULE, &[0; 7]), None, "nothing that the inventory reads");
}
