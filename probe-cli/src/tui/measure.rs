//! What graphs and rate columns show: the choices, and which comes next. How a value is written is in `rate`.

use super::tab::Tab;

/// What graphs and rate columns show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Measure {
    /// Bits per second of outer IP packets: what the wire carries.
    #[default]
    OuterBits,
    /// Bits per second of inner IP packets: what pods sent.
    InnerBits,
    /// Bytes per second of outer IP packets.
    OuterBytes,
    /// The same with prefixes of 1024: KiB, MiB.
    OuterBinary,
    /// Bytes per second of inner IP packets.
    InnerBytes,
    /// Wire packets per second.
    Packets,
}

impl Measure {
    /// All, in the order of the key.
    pub(super) const ALL: [Self; 6] = [
        Self::OuterBits,
        Self::InnerBits,
        Self::OuterBytes,
        Self::OuterBinary,
        Self::InnerBytes,
        Self::Packets,
    ];

    /// Its name and unit.
    pub(super) fn name(self, tab: Tab) -> &'static str {
        match (self, tab) {
            (Self::Packets, _) => "packets/s",
            (Self::OuterBits | Self::InnerBits, Tab::Vfs) => "bit/s",
            (Self::OuterBytes | Self::InnerBytes, Tab::Vfs) => "B/s",
            (Self::OuterBinary, Tab::Vfs) => "B/s (1024)",
            (Self::OuterBits, _) => "outer bit/s",
            (Self::InnerBits, _) => "inner bit/s",
            (Self::OuterBytes, _) => "outer B/s",
            (Self::OuterBinary, _) => "outer B/s (1024)",
            (Self::InnerBytes, _) => "inner B/s",
        }
    }

    /// As it is written in a configuration.
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::OuterBits => "outer-bits",
            Self::InnerBits => "inner-bits",
            Self::OuterBytes => "outer-bytes",
            Self::OuterBinary => "outer-bytes-1024",
            Self::InnerBytes => "inner-bytes",
            Self::Packets => "packets",
        }
    }

    /// Of inner packets.
    pub(super) fn is_inner(self) -> bool {
        matches!(self, Self::InnerBits | Self::InnerBytes)
    }

    /// The next one that looks different on a tab, round. Nothing encapsulates a VF's packets: outer and inner are one.
    pub(super) fn next(self, tab: Tab) -> Self {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap_or(0);
        let mut following = Self::ALL.into_iter().cycle().skip(at + 1).take(Self::ALL.len());
        following.find(|next| tab != Tab::Vfs || !next.is_inner()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_comes_and_then_the_first_again() {
        for (tab, count) in [(Tab::Overview, 6), (Tab::Vfs, 4)] {
            let mut seen = vec![Measure::default()];
            while seen.len() < 2 || seen.first() != seen.last() {
                seen.push(seen[seen.len() - 1].next(tab));
            }
            assert_eq!(seen.len() - 1, count, "{tab:?}: {seen:?}");
        }
    }
}
