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
    /// Wire packets per second.
    Packets,
}

impl Measure {
    /// Its name and unit.
    pub(super) fn name(self, tab: Tab) -> &'static str {
        match (self, tab) {
            (Self::Packets, _) => "packets/s",
            (_, Tab::Vfs) => "bit/s",
            (Self::OuterBits, _) => "outer bit/s",
            (Self::InnerBits, _) => "inner bit/s",
        }
    }

    /// The next one that looks different on a tab, round. Nothing encapsulates a VF's packets: outer and inner are one.
    pub(super) fn next(self, tab: Tab) -> Self {
        match (self, tab) {
            (Self::OuterBits, Tab::Vfs) | (Self::InnerBits, _) => Self::Packets,
            (Self::OuterBits, _) => Self::InnerBits,
            (Self::Packets, _) => Self::OuterBits,
        }
    }
}
