//! From samples to rates: what is known, what is not, and what adds up.

use super::*;
use crate::model::testdata::build;
use crate::model::testdata::{inventory, sample};

#[test]
fn the_first_sample_has_totals_and_no_rates() {
    let inventory = inventory(2);
    let model = build(&inventory, &sample(&inventory, 5), None);
    assert_eq!(model.interval, None);
    for row in &model.tunnels {
        assert!(row.flow.tx.total.packets > 0);
        assert_eq!(row.flow.tx.rate, None);
    }
    assert_eq!(model.observer.cpu_percent, None);
}

#[test]
fn rates_are_differences_over_the_monotonic_clock() {
    let inventory = inventory(2);
    let (before, now) = (sample(&inventory, 10), sample(&inventory, 14));
    let model = build(&inventory, &now, Some(&before));
    let row = &model.tunnels[0];
    let (new, old) = (now.tunnels[&3].counts, before.tunnels[&3].counts);
    for (rate, new, old) in [(row.flow.tx.rate, new.tx, old.tx), (row.flow.rx.rate, new.rx, old.rx)] {
        // Four seconds, and eight bits a byte.
        let Rates {
            skbs_per_s,
            packets_per_s,
            inner_bits_per_s,
            outer_bits_per_s,
            oversize_per_s,
            fragments_per_s,
        } = rate.unwrap();
        assert!((skbs_per_s - (new.skbs - old.skbs) as f64 / 4.0).abs() < 1e-6);
        assert_eq!((oversize_per_s, fragments_per_s), (0.0, 0.0));
        assert!((packets_per_s - (new.packets - old.packets) as f64 / 4.0).abs() < 1e-6);
        assert!((inner_bits_per_s - (new.inner_bytes - old.inner_bytes) as f64 * 2.0).abs() < 1e-3);
        assert!((outer_bits_per_s - (new.outer_bytes - old.outer_bytes) as f64 * 2.0).abs() < 1e-3);
    }
    assert_ne!(new.tx, new.rx, "or a direction could be taken for the other");
    assert!((row.flow.tx.overhead_per_packet().unwrap() - 50.0).abs() < 1e-9);
}

#[test]
fn a_counter_that_went_back_has_no_rate() {
    let inventory = inventory(2);
    // The tunnel was deleted and made again between the samples.
    let model = build(
        &inventory,
        &sample(&inventory, 3),
        Some(&Sample { monotonic: Duration::from_secs(2), ..sample(&inventory, 9) }),
    );
    assert_eq!(model.tunnels[0].flow.tx.rate, None);
    assert!(model.tunnels[0].flow.tx.total.packets > 0);
}

#[test]
fn clocks_that_do_not_move_give_no_rates() {
    let inventory = inventory(2);
    let model = build(&inventory, &sample(&inventory, 9), Some(&sample(&inventory, 9)));
    assert_eq!(model.interval, None);
    assert_eq!(model.tunnels[0].flow.tx.rate, None);
}

#[test]
fn what_appeared_a_moment_ago_has_a_row_and_no_rates() {
    let old = inventory(1);
    let new = inventory(3);
    let model = build(&new, &sample(&new, 9), Some(&sample(&old, 8)));
    let appeared = model.pods.iter().find(|row| row.pod.as_ref() == new.pods.get(2)).unwrap();
    assert_eq!(appeared.flow.tx.rate, None);
    assert!(model.pods[0].flow.tx.rate.is_some());
}

#[test]
fn other_is_always_there_so_that_sums_add_up() {
    let inventory = inventory(2);
    let model = build(&inventory, &sample(&inventory, 9), None);
    assert_eq!(model.pods.iter().filter(|row| row.pod.is_none()).count(), 1);
    for tunnel in &model.tunnels {
        let of_tunnel = model.peers.iter().filter(|row| row.tunnel == tunnel.tunnel.ifindex);
        assert_eq!(of_tunnel.filter(|row| row.peer.is_none()).count(), 1);
    }
}

#[test]
fn a_message_is_as_old_as_the_clock_says() {
    let model = crate::model::testdata::troubled();
    assert_eq!(model.pmtu_events[0].age, Duration::from_millis(500));
    assert_eq!(model.pmtu_events[0].tunnel_name, "flannel.1");
    assert_eq!(model.notes.len(), 1);
    assert_eq!(model.observer.events_lost, 3);
}
