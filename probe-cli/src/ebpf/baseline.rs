//! Where counting of outer packets begins. Programs are attached one after the other, those of the underlay first: what these
//! counted by then and those of the tunnel did not would look like a loss between the two for as long as the run lasts. No maps.

use std::collections::BTreeMap;

use crate::sample::{Counts, OuterCounts, OuterPart, PerDirection};

/// By slot, what the underlay had counted of outer packets before the tunnel's programs counted.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    /// Of whole tunnels.
    pub(super) tunnels: BTreeMap<u32, PerDirection<OuterCounts>>,
    /// Of peers, and of what no peer's slot counts.
    pub(super) peers: BTreeMap<u32, PerDirection<OuterCounts>>,
}

impl Baseline {
    /// The slot is another's from now on, and its counters are zero.
    pub(super) fn forget(&mut self, slot: u32) {
        self.tunnels.remove(&slot);
        self.peers.remove(&slot);
    }

    /// Outer packets of a tunnel since both count.
    pub(super) fn of_tunnel(
        &self,
        slot: u32,
        counted: PerDirection<OuterCounts>,
    ) -> PerDirection<OuterCounts> {
        since(self.tunnels.get(&slot), counted)
    }

    /// Outer packets of a peer since both count.
    pub(super) fn of_peer(&self, slot: u32, counted: PerDirection<OuterCounts>) -> PerDirection<OuterCounts> {
        since(self.peers.get(&slot), counted)
    }
}

fn since(
    baseline: Option<&PerDirection<OuterCounts>>,
    counted: PerDirection<OuterCounts>,
) -> PerDirection<OuterCounts> {
    let Some(baseline) = baseline else { return counted };
    PerDirection { tx: counted.tx.less(&baseline.tx), rx: counted.rx.less(&baseline.rx) }
}

/// What the underlay has counted more than the tunnel. A packet that has left the tunnel and not yet the node will be counted,
/// so that the underlay may be behind and is not ahead then. Keepalives and handshakes are in no tunnel.
pub(super) fn ahead(
    outer: &PerDirection<OuterCounts>,
    inner: &PerDirection<Counts>,
) -> PerDirection<OuterCounts> {
    let of = |outer: &OuterCounts, inner: &Counts| OuterCounts {
        packets: outer.packets.saturating_sub(inner.packets),
        bytes: outer.bytes.saturating_sub(inner.outer_bytes),
        fragments: if outer.packets > inner.packets { outer.fragments } else { 0 },
        keepalives: OuterPart::default(),
        handshakes: OuterPart::default(),
    };
    let without_own = |outer: &OuterCounts| OuterCounts {
        packets: outer.packets.saturating_sub(outer.keepalives.packets + outer.handshakes.packets),
        bytes: outer.bytes.saturating_sub(outer.keepalives.bytes + outer.handshakes.bytes),
        ..*outer
    };
    PerDirection { tx: of(&without_own(&outer.tx), &inner.tx), rx: of(&without_own(&outer.rx), &inner.rx) }
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
        baseline.peers.insert(7, ahead(&first, &begun));
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
        let ahead = ahead(&first, &begun);
        assert_eq!(ahead, PerDirection::default());
    }
}
