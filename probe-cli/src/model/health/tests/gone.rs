//! Devices that are deleted, made again or moved while the node is looked at.

use super::*;

/// The node with flannel.1 made again: its interface index is another one, in every table.
fn made_again(facts: &Facts) -> Facts {
    let of = |ifindex: &mut u32| *ifindex += u32::from(*ifindex == FLANNEL) * 50;
    changed(facts, |new| {
        new.links.iter_mut().for_each(|link| of(&mut link.ifindex));
        new.routes.ipv4.iter_mut().flat_map(|route| &mut route.ifindex).for_each(of);
        (new.neighbours, new.fdb) = (PerDevice::default(), PerDevice::default());
        for neighbour in facts.neighbours.iter() {
            let mut neighbour = neighbour.clone();
            of(&mut neighbour.ifindex);
            new.neighbours.push(neighbour);
        }
        for entry in facts.fdb.iter() {
            let mut entry = entry.clone();
            of(&mut entry.ifindex);
            new.fdb.push(entry);
        }
    })
}

/// Nothing of these nodes is left in the tables of flannel.1.
fn forget(facts: &mut Facts, nodes: &[u8]) {
    for node in nodes {
        let gateway = ip(&format!("10.42.{node}.0"));
        facts.routes.ipv4.retain(|route| route.gateway != Some(gateway));
        facts.neighbours.retain(|neighbour| neighbour.address != gateway);
        facts.fdb.retain(|entry| entry.mac != mac(*node));
    }
}

#[test]
fn a_tunnel_that_is_deleted_keeps_its_row_and_is_noted_until_it_is_back() {
    let before = flannel4(node(), 2);
    let without = node();
    let model = last(&[&before, &without]);
    assert!(noted(&model, &["flannel.1 is gone", "(since 00:16:41 UTC)"]), "{:?}", model.notes);
    assert!(noted(&model, &["no VXLAN or WireGuard device is left"]), "{:?}", model.notes);
    assert!(model.checked.is_empty());
    let gone = &model.gone.tunnels[0];
    assert_eq!((gone.condition, gone.flow.tx.total.packets, gone.flow.tx.rate), (Condition::Gone, 9, None));
    assert_eq!(word(&model, "192.0.2.2"), "gone");
    // Much later it is still missed, and its peers are not.
    let mut timeline = Timeline::default();
    timeline.push(frame(&before, 1000));
    timeline.push(frame(&without, 1001));
    let model = timeline.push(frame(&without, 5000));
    assert!(noted(&model, &["flannel.1 is gone", "(since 00:16:41 UTC)"]), "{:?}", model.notes);
    assert!(model.gone.peers.is_empty());
    // Made again it has another number, and is the same to whoever looks.
    let again = changed(&made_again(&before), |facts| {
        facts.neighbours = PerDevice::default();
        facts.fdb = PerDevice::default();
    });
    let model = timeline.push(frame(&again, 5001));
    assert!(!noted(&model, &["gone"]) && model.gone.tunnels.is_empty(), "{:?}", model.notes);
    assert!(!noted(&model, &["made again"]), "its routes are there: {:?}", model.notes);
}

#[test]
fn a_tunnel_that_was_made_again_without_its_entries_is_noted_until_they_are_back() {
    let before = healthy();
    let again = made_again(&before);
    let empty = changed(&again, |facts| forget(facts, &[2, 3]));
    let mut timeline = Timeline::default();
    timeline.push(frame(&before, 1000));
    for second in [1001, 1002, 5000] {
        let model = timeline.push(frame(&empty, second));
        let words =
            ["flannel.1 was deleted and made again", "10.42.2.0/24, 10.42.3.0/24", "(since 00:16:41 UTC)"];
        assert!(noted(&model, &words), "{:?}", model.notes);
        assert_eq!((word(&model, "flannel.1"), word(&model, "flannel-v6.1")), ("no route", "ok"));
        assert!(model.checked.iter().all(|words| !words.contains("tunnel")), "{:?}", model.checked);
    }
    // One peer is back.
    let one = changed(&again, |facts| forget(facts, &[3]));
    let model = timeline.push(frame(&one, 5001));
    assert!(noted(&model, &["no route leads to 10.42.3.0/24 any more"]), "{:?}", model.notes);
    // Deleted once more, it is missed.
    let without = changed(&before, |facts| {
        facts.links.retain(|link| link.ifindex != FLANNEL);
        forget(facts, &[2, 3]);
    });
    assert!(noted(&timeline.push(frame(&without, 5002)), &["flannel.1 is gone"]));
    let model = timeline.push(frame(&again, 5003));
    assert_eq!((word(&model, "flannel.1"), model.notes.len()), ("ok", 0), "{:?}", model.notes);
    // From now on a node may leave.
    assert_eq!(timeline.push(frame(&one, 5004)).notes, Vec::<String>::new());
}

#[test]
fn a_tunnel_that_lost_its_peers_or_its_work_is_not_noted() {
    let before = healthy();
    let alone = changed(&before, |facts| forget(facts, &[2, 3]));
    assert!(!noted(&last(&[&before, &alone]), &["made again"]), "the same device: the nodes may have left");
    let moved = changed(&made_again(&alone), |facts| {
        facts.links.push(wireguard(9, "flannel-wg"));
        facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24", "10.42.3.0/24"])));
    });
    let model = last(&[&before, &moved]);
    assert!(!noted(&model, &["made again"]), "the other device carries them: {:?}", model.notes);
}

#[test]
fn one_of_two_tunnels_is_missed_and_the_other_is_not() {
    let model = last(&[&healthy(), &flannel6(node(), 2)]);
    assert!(noted(&model, &["flannel.1 is gone"]) && !noted(&model, &["is left"]), "{:?}", model.notes);
    assert_eq!(word(&model, "flannel-v6.1"), "ok");
}

#[test]
fn an_overlay_that_was_moved_to_another_device_is_not_missed() {
    let before = flannel4(node(), 2);
    let mut after = node();
    after.links.push(wireguard(9, "flannel-wg"));
    after.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24", "10.42.3.0/24"])));
    let model = last(&[&before, &after]);
    assert!(!noted(&model, &["flannel.1"]), "{:?}", model.notes);
    assert_eq!(word(&model, "flannel.1"), "gone");
    // Only some of it was.
    after.wireguard = Vec::new();
    after.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
    assert!(noted(&last(&[&before, &after]), &["flannel.1 is gone"]));
}
