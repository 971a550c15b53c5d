//! What probes of a path came to, and which messages about them are believed.

use std::{net::IpAddr, time::Duration};

/// What the search of one path came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In one word.
    pub verdict: Verdict,
    /// The largest size that was answered, in bytes of the IP packet; none when nothing was.
    pub size: Option<u32>,
    /// How the answer of that size came back.
    pub reverse: Reverse,
    /// Whether larger packets get there, though no answer of their size comes back.
    pub forward: Forward,
    /// Packets that were sent.
    pub sent: u32,
    /// Flows that were measured.
    pub flows: u32,
    /// Those of sizes that fit, and how many of them were lost.
    pub loss: Loss,
    /// The shortest time to an answer.
    pub rtt: Option<Duration>,
    /// Messages that were not believed.
    pub ignored: Ignored,
}

/// Why packets of one path are not larger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The largest size that is expected fits.
    Fits,
    /// This node's kernel sends nothing larger.
    Refused,
    /// Somebody on the way sends "too big" for more.
    TooBig {
        /// Who.
        from: IpAddr,
        /// It was sent for another path of the same size only: routers send few of them.
        of_other: bool,
    },
    /// Larger packets are lost silently.
    BlackHole,
    /// Flows take several ways, and one of them carries less, or nothing.
    SomeFlows(SomeFlows),
    /// Nothing is answered, whatever its size.
    Unreachable {
        /// Who says so; none when nobody does.
        said_by: Option<Who>,
    },
    /// The search ended before it was known: packets of this size and larger do not get there.
    Undecided {
        /// None when nothing is known not to.
        below: Option<u32>,
    },
    /// A device of this node went away meanwhile: that nothing was answered since says nothing.
    Interrupted {
        /// Its name. Escape before showing.
        device: String,
    },
    /// Nothing could be sent.
    NotSent {
        /// What the kernel said.
        why: String,
    },
}

/// Of flows to one address that do not fare alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SomeFlows {
    /// Flows that carry less than others.
    pub limited: u32,
    /// Of these, flows of which no packet was answered, whatever its size.
    pub dead: u32,
    /// The largest size that any flow carries.
    pub most: u32,
    /// Who says "too big" to a flow that carries less; none when larger packets are lost silently.
    pub said_by: Option<IpAddr>,
}

/// Who says that a packet cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This node's kernel, which has no route.
    Here,
    /// A router, or this node about a neighbour that does not answer.
    From(IpAddr),
}

/// How an answer came back. The kernel of a peer sends answers that may be cut into fragments (`icmp_sk_init` in
/// net/ipv4/icmp.c), so they say less of the way back than probes say of the way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reverse {
    /// Nothing came.
    #[default]
    Unmeasured,
    /// In one piece, as large as what was sent.
    Whole,
    /// In fragments, of which the largest has this size.
    Fragments {
        /// Bytes of the largest fragment.
        largest: u32,
    },
    /// It was shorter than what was sent: what fits on the way back is not measured.
    Shorter,
}

/// Where packets are lost that are not answered, found out by datagrams whose answers are small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forward {
    /// It is not known: nobody was asked, or no answer came.
    #[default]
    Unmeasured,
    /// The largest size gets there: answers as large are lost on the way back.
    Carries,
    /// They are lost on the way there; of the way back nothing is known then.
    Loses,
}

/// Packets of sizes that fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Sent.
    pub sent: u32,
    /// Never answered.
    pub lost: u32,
}

/// Messages that were not believed, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// "Too big" with an MTU of 0, or below the least that a link may have (576, for IPv6 1280).
    pub too_small: u32,
    /// "Too big" with an MTU that the packet does not exceed.
    pub too_large: u32,
    /// "Too big" with an MTU below a size that got there.
    pub refuted: u32,
    /// About a packet that was not sent like that, or answers from elsewhere.
    pub foreign: u32,
    /// Second answers.
    pub repeated: u32,
}

impl Ignored {
    /// Together with others.
    pub(super) fn with(self, other: Self) -> Self {
        let Self { too_small, too_large, refuted, foreign, repeated } = other;
        Self {
            too_small: self.too_small.saturating_add(too_small),
            too_large: self.too_large.saturating_add(too_large),
            refuted: self.refuted.saturating_add(refuted),
            foreign: self.foreign.saturating_add(foreign),
            repeated: self.repeated.saturating_add(repeated),
        }
    }

    /// Lies: what no honest router or peer sends.
    pub fn lies(self) -> u32 {
        let Self { too_small, too_large, refuted, foreign, repeated: _ } = self;
        too_small + too_large + refuted + foreign
    }
}

/// Why the kernel did not send a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is larger than the device's MTU (`EMSGSIZE`).
    TooBig,
    /// No route leads there.
    NoRoute,
    /// The socket's buffer is full: it may be tried again.
    Busy,
    /// It says so.
    Other(String),
}

/// The least MTU that is believed: RFC 791 has every host take 576 bytes, and RFC 8200 every link 1280.
fn least(address: IpAddr) -> u32 {
    if address.is_ipv6() { 1280 } else { 576 }
}

/// Whether a "too big" can be true of a probe of this size, when packets of `fits` bytes have got there. Counts it if not.
pub(super) fn is_plausible(
    address: IpAddr,
    mtu: u32,
    size: u32,
    fits: Option<u32>,
    ignored: &mut Ignored,
) -> bool {
    let why = if mtu < least(address) {
        &mut ignored.too_small
    } else if mtu >= size {
        &mut ignored.too_large
    } else if fits.is_some_and(|fits| fits > mtu) {
        &mut ignored.refuted
    } else {
        return true;
    };
    *why = why.saturating_add(1);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_are_counted_by_kind() {
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        for (address, mtu, size, fits, expected) in [
            (v4, 1400, 1500, None, None),
            (v4, 576, 1500, Some(500), None),
            (v6, 1280, 1500, Some(1280), None),
            (v4, 0, 1500, None, Some(Ignored { too_small: 1, ..Ignored::default() })),
            (v4, 575, 1500, None, Some(Ignored { too_small: 1, ..Ignored::default() })),
            (v6, 1279, 1500, None, Some(Ignored { too_small: 1, ..Ignored::default() })),
            (v4, 1500, 1500, None, Some(Ignored { too_large: 1, ..Ignored::default() })),
            (v6, 9000, 1500, None, Some(Ignored { too_large: 1, ..Ignored::default() })),
            (v4, 1400, 1500, Some(1401), Some(Ignored { refuted: 1, ..Ignored::default() })),
        ] {
            let mut ignored = Ignored::default();
            let is_believed = is_plausible(address, mtu, size, fits, &mut ignored);
            assert_eq!(is_believed, expected.is_none(), "{address} {mtu} {size} {fits:?}");
            assert_eq!(ignored, expected.unwrap_or_default());
            assert_eq!(ignored.lies(), u32::from(!is_believed));
        }
    }
}
