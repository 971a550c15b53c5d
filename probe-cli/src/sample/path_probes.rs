//! Small and large probes that are sent to other nodes while somebody watches, and what they came to. Who sends them is known elsewhere.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// What is sent to other nodes, and what that came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerProbes {
    /// Between two small probes of a path.
    pub every: Duration,
    /// The paths, by address.
    pub paths: Vec<PathProbes>,
    /// Paths beyond the bound, to which nothing is sent.
    pub left_out: u64,
}

/// Everything that was sent on one path since it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathProbes {
    /// Where probes go.
    pub address: IpAddr,
    /// Bytes of the IP packet of large probes: what is expected to fit.
    pub size: u32,
    /// Small probes.
    pub small: ProbeCounts,
    /// Large probes.
    pub large: ProbeCounts,
    /// Of the small probes that were answered last; none before the first answer.
    pub round_trips: Option<RoundTrips>,
    /// Since the last answer, of any size; none before the first one.
    pub answered_ago: Option<Duration>,
    /// What that means.
    pub signal: Signal,
}

/// Probes of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCounts {
    /// Sent; of the last ones it may not be known yet whether they are answered.
    pub sent: u64,
    /// Not answered in time.
    pub lost: u64,
}

impl ProbeCounts {
    /// Lost of those sent, in percent; none when none was sent.
    pub fn lost_percent(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.lost as f64 * 100.0 / self.sent as f64)
    }
}

/// Times from probes to their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// Half of them took no longer.
    pub p50: Duration,
    /// All but one of a hundred took no longer.
    pub p99: Duration,
    /// How much one differs from the next, smoothed as RFC 3550 section 6.4.1 has it.
    pub jitter: Duration,
}

/// What a path does now, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Signal {
    /// Too little was sent to say.
    Unknown,
    /// Probes of both sizes are answered.
    Answered,
    /// Some probes of any size are lost.
    SomeLost,
    /// This node's kernel refuses the large size.
    RefusedHere,
    /// Somebody on the way says that the large size is too big.
    TooBig {
        /// Who.
        from: IpAddr,
        /// The MTU that is asked for.
        mtu: u32,
    },
    /// Large probes are lost while small ones are answered: a black hole.
    LargeLost,
    /// Nothing is answered.
    Unanswered,
}
