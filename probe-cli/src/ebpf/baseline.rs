//! Where counting of outer packets begins. Programs are attached one after the other, those of the underlay first: what these
//! counted by then and those of the tunnel did not would look like a loss between the two for as long as the run lasts. So would
//! what a tunnel carried while the device below it was not known, or was another. No maps.

use std::{collections::BTreeMap, ops::AddAssign};

use crate::sample::{Counts, OuterCounts, OuterPart, PerDirection};

/// By slot, what makes the underlay's counts those of the time in which the tunnel's programs counted.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    /// Of whole tunnels.
    pub(super) tunnels: BTreeMap<u32, Offset>,
    /// Of peers, and of what no peer's slot counts.
    pub(super) peers: BTreeMap<u32, Offset>,
}

/// The difference of two counts of the same packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offset {
    /// What the underlay counted before the tunnel did.
    ahead: PerDirection<OuterCounts>,
    /// What the tunnel counted while the underlay was not watched.
    behind: PerDirection<OuterCounts>,
}

impl AddAssign for Offset {
    fn add_assign(&mut self, other: Self) {
        self.ahead += other.ahead;
        self.behind += other.behind;
    }
}

impl Baseline {
    /// The slot is another's from now on, and its counters are zero. Gives what it had.
    pub(super) fn forget(&mut self, slot: u32) -> Offset {
        self.tunnels.remove(&slot);
        self.peers.remove(&slot).unwrap_or_default()
    }

    /// Outer packets of a tunnel since both count.
    pub(super) fn of_tunnel(
        &self,
        slot: u32,
        counted: PerDirection<OuterCounts>,
    ) -> PerDirection<OuterCounts> {
        self.tunnels.get(&slot).map_or(counted, |offset| offset.apply(counted))
    }

    /// Outer packets of a peer since both count.
    pub(super) fn of_peer(&self, slot: u32, counted: PerDirection<OuterCounts>) -> PerDirection<OuterCounts> {
        self.peers.get(&slot).map_or(counted, |offset| offset.apply(counted))
    }
}

impl Offset {
    /// The offset from here on, when the tunnel's programs begin to count: takes off what the underlay has counted more. A packet
    /// that has left the tunnel and not yet the node will be counted, so that the underlay may be behind and is not ahead then.
    pub(super) fn begin(mut self, outer: &PerDirection<OuterCounts>, inner: &PerDirection<Counts>) -> Self {
        let outer = own_left_out(outer);
        let of = |outer: &OuterCounts, behind: &OuterCounts, inner: &Counts| OuterCounts {
            packets: (outer.packets + behind.packets).saturating_sub(inner.packets),
            bytes: (outer.bytes + behind.bytes).saturating_sub(inner.outer_bytes),
            fragments: if outer.packets > inner.packets { outer.fragments } else { 0 },
            ..OuterCounts::default()
        };
        let behind = &self.behind;
        self.ahead = PerDirection {
            tx: of(&outer.tx, &behind.tx, &inner.tx),
            rx: of(&outer.rx, &behind.rx, &inner.rx),
        };
        self
    }

    /// The offset from here on, when the underlay is watched again or is another one: adds what the tunnel has counted more. What
    /// the underlay counted more since it is watched stays: fragments are packets, too.
    pub(super) fn level(mut self, outer: &PerDirection<OuterCounts>, inner: &PerDirection<Counts>) -> Self {
        let outer = own_left_out(outer);
        let of = |outer: &OuterCounts, ahead: &OuterCounts, inner: &Counts, known: &OuterCounts| {
            let since = outer.less(ahead);
            OuterCounts {
                packets: inner.packets.saturating_sub(since.packets).max(known.packets),
                bytes: inner.outer_bytes.saturating_sub(since.bytes).max(known.bytes),
                ..OuterCounts::default()
            }
        };
        let (ahead, behind) = (&self.ahead, &self.behind);
        self.behind = PerDirection {
            tx: of(&outer.tx, &ahead.tx, &inner.tx, &behind.tx),
            rx: of(&outer.rx, &ahead.rx, &inner.rx, &behind.rx),
        };
        self
    }

    /// What was counted, with the difference.
    pub(super) fn apply(&self, counted: PerDirection<OuterCounts>) -> PerDirection<OuterCounts> {
        let mut counted =
            PerDirection { tx: counted.tx.less(&self.ahead.tx), rx: counted.rx.less(&self.ahead.rx) };
        counted += self.behind;
        counted
    }
}

/// Without keepalives and handshakes of WireGuard, which are in no tunnel.
fn own_left_out(outer: &PerDirection<OuterCounts>) -> PerDirection<OuterCounts> {
    let of = |outer: &OuterCounts| OuterCounts {
        packets: outer.packets.saturating_sub(outer.keepalives.packets + outer.handshakes.packets),
        bytes: outer.bytes.saturating_sub(outer.keepalives.bytes + outer.handshakes.bytes),
        keepalives: OuterPart::default(),
        handshakes: OuterPart::default(),
        in_clear: OuterPart::default(),
        ..*outer
    };
    PerDirection { tx: of(&outer.tx), rx: of(&outer.rx) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(packets: u64, bytes: u64) -> OuterCounts {
        OuterCounts { packets, bytes, ..OuterCounts::default() }
    }

    fn inner(packets: u64, outer_bytes: u64) -> Counts {
        Counts { packets, outer_bytes, ..Counts::default() }
    }

    #[test]
    fn what_the_underlay_counted_alone_is_taken_off_for_good() {
        let mut baseline = Baseline::default();
        let first = PerDirection { tx: outer(215, 21_500), rx: outer(98, 9_800) };
        let begun = PerDirection { tx: inner(15, 1_500), rx: inner(0, 0) };
        baseline.peers.insert(7, Offset::default().begin(&first, &begun));
        let later = PerDirection { tx: outer(1215, 121_500), rx: outer(1098, 109_800) };
        let shown = baseline.of_peer(7, later);
        // 1000 packets in each direction since then.
        assert_eq!((shown.tx.packets, shown.tx.bytes), (1015, 101_500));
        assert_eq!((shown.rx.packets, shown.rx.bytes), (1000, 100_000));
        assert_eq!(baseline.of_peer(8, later), later);
        baseline.forget(7);
        assert_eq!(baseline.of_peer(7, later), later);
    }

    #[test]
    fn packets_under_way_and_wireguards_own_are_not_ahead() {
        let begun = PerDirection { tx: inner(20, 2_000), rx: inner(5, 500) };
        let own = OuterPart { packets: 2, bytes: 200 };
        let first =
            PerDirection { tx: outer(18, 1_800), rx: OuterCounts { keepalives: own, ..outer(7, 700) } };
        assert_eq!(Offset::default().begin(&first, &begun), Offset::default());
    }

    #[test]
    fn what_a_tunnel_carried_while_nobody_watched_below_is_no_loss() {
        let both = |outer| PerDirection { tx: outer, rx: outer };
        let started = Offset::default().begin(&both(outer(30, 3_000)), &PerDirection::default());
        // 100 packets by one device, 50 by another before it was known.
        let counted = both(outer(130, 13_000));
        let carried = PerDirection { tx: inner(150, 15_000), rx: inner(150, 15_000) };
        let exchanged = started.level(&counted, &carried);
        assert_eq!(exchanged.apply(counted), both(outer(150, 15_000)));
        // Nothing was missed by the next exchange, and packets were sent in fragments: they stay.
        let cut = both(OuterCounts { fragments: 20, ..outer(140, 14_000) });
        let again = exchanged.level(&cut, &carried);
        assert_eq!(again.apply(cut), both(OuterCounts { fragments: 20, ..outer(160, 16_000) }));
        // Keepalives are in no tunnel, and stay as well.
        let own = OuterPart { packets: 2, bytes: 200 };
        let with_own = both(OuterCounts { keepalives: own, ..outer(12, 1_200) });
        let carried = PerDirection { tx: inner(15, 1_500), rx: inner(10, 1_000) };
        let shown = Offset::default().level(&with_own, &carried).apply(with_own);
        assert_eq!((shown.tx.packets, shown.tx.bytes), (17, 1_700));
        assert_eq!((shown.rx, shown.tx.keepalives), (with_own.rx, own));
    }
}
