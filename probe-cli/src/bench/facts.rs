//! What is exact about the path of a data plane: its devices, and what was counted while the overlay's streams ran. Data of the document
//! ([`super::result`]), with what is made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::instruments::Instruments;

/// What is exact about a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The devices from the sender to the receiver.
    pub devices: Vec<Device>,
    /// What was counted during the overlay's streams.
    pub counts: Counts,
    /// What each processor of this end did while the overlay's streams ran; null where that cannot be read.
    #[serde(default)]
    pub cores: Option<Vec<Core>>,
    /// What eBPF showed of one more stream, which is in no round; null when nobody looked.
    #[serde(default)]
    pub instruments: Option<Instruments>,
}

/// A processor during the overlay's streams, over the whole run, in ticks of a hundredth of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Its number.
    pub cpu: u32,
    /// In processes.
    pub user: u64,
    /// In the kernel on behalf of processes.
    pub system: u64,
    /// In soft interrupts, in which packets are received.
    pub softirq: u64,
    /// Taken by the hypervisor for others.
    pub steal: u64,
    /// All of its time.
    pub all: u64,
}

/// A device on the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Where it is: "node 1", "pod 2".
    pub place: String,
    /// Its name.
    pub name: String,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// The queueing discipline of its egress; null where it was not read.
    #[serde(default)]
    pub qdisc: Option<String>,
    /// Its offloads, by the kernel's names; null where they cannot be read.
    pub features: Option<BTreeMap<String, bool>>,
}

/// Counters of the overlay's streams, over the whole run; null where one cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Payload bytes that arrived.
    pub payload_bytes: Option<u64>,
    /// TCP segments that the sending pod sent.
    pub segments: Option<u64>,
    /// Those that it sent again.
    pub retransmitted: Option<u64>,
    /// Buffers that the sending node's tunnel device sent: with GSO one is many segments.
    pub tunnel_buffers: Option<u64>,
    /// Buffers that the receiving node's tunnel device received: with GRO one is many segments.
    #[serde(default)]
    pub received_buffers: Option<u64>,
    /// IP fragments that the sending node and pod made.
    pub fragments: Option<u64>,
    /// Packets with a wrong checksum that the receiving node and pod got.
    pub checksum_errors: Option<u64>,
    /// Packets that the path's devices could not send or dropped.
    pub drops: Option<u64>,
}

impl Core {
    /// Adds another period.
    pub fn add(&mut self, more: &Self) {
        let Self { cpu: _, user, system, softirq, steal, all } = more;
        let fields = [&mut self.user, &mut self.system, &mut self.softirq, &mut self.steal, &mut self.all];
        for (sum, more) in fields.into_iter().zip([user, system, softirq, steal, all]) {
            *sum = sum.saturating_add(*more);
        }
    }

    /// A part of its time; none where there was no tick.
    pub fn share(&self, part: u64) -> Option<f64> {
        per(Some(part), Some(self.all))
    }
}

impl Facts {
    /// All processors together; none where nothing is known of them.
    pub fn all_cores(&self) -> Option<Core> {
        let mut sum = Core::default();
        self.cores.as_ref()?.iter().for_each(|core| sum.add(core));
        Some(sum).filter(|sum| sum.all > 0)
    }

    /// The share of soft interrupts of the processor with most of them.
    pub fn busiest_softirq(&self) -> Option<f64> {
        self.cores.as_ref()?.iter().filter_map(|core| core.share(core.softirq)).reduce(f64::max)
    }
}

impl Counts {
    /// Adds another period. What is not known of one is not known of both.
    pub fn add(&mut self, more: &Self) {
        let sum = |a: &mut Option<u64>, b: Option<u64>| *a = a.zip(b).map(|(a, b)| a.saturating_add(b));
        sum(&mut self.payload_bytes, more.payload_bytes);
        sum(&mut self.segments, more.segments);
        sum(&mut self.retransmitted, more.retransmitted);
        sum(&mut self.tunnel_buffers, more.tunnel_buffers);
        sum(&mut self.received_buffers, more.received_buffers);
        sum(&mut self.fragments, more.fragments);
        sum(&mut self.checksum_errors, more.checksum_errors);
        sum(&mut self.drops, more.drops);
    }

    /// With what the far end and the connections themselves counted in the same period, which goes first: what this end reads is of
    /// everything that it has to do with. Drops are those of both ends.
    #[must_use]
    pub fn seen_by(self, far: &Self) -> Self {
        Self {
            payload_bytes: far.payload_bytes,
            segments: far.segments.or(self.segments),
            retransmitted: far.retransmitted.or(self.retransmitted),
            received_buffers: far.received_buffers.or(self.received_buffers),
            checksum_errors: far.checksum_errors.or(self.checksum_errors),
            drops: self.drops.zip(far.drops).map(|(near, far)| near.saturating_add(far)),
            ..self
        }
    }

    /// Where a sum begins.
    pub fn zero() -> Self {
        Self {
            payload_bytes: Some(0),
            segments: Some(0),
            retransmitted: Some(0),
            tunnel_buffers: Some(0),
            received_buffers: Some(0),
            fragments: Some(0),
            checksum_errors: Some(0),
            drops: Some(0),
        }
    }

    /// Segments in a buffer of the tunnel device: what GSO saves.
    pub fn segments_per_buffer(&self) -> Option<f64> {
        per(self.segments, self.tunnel_buffers)
    }

    /// Segments in a buffer that the receiving tunnel device hands up: what GSO and GRO together save there.
    pub fn segments_per_received_buffer(&self) -> Option<f64> {
        per(self.segments, self.received_buffers)
    }

    /// Payload bytes in a segment.
    pub fn payload_per_segment(&self) -> Option<f64> {
        per(self.payload_bytes, self.segments)
    }

    /// Segments sent again, of a thousand.
    pub fn retransmitted_per_mille(&self) -> Option<f64> {
        Some(1000.0 * per(self.retransmitted, self.segments)?)
    }

    /// Packets dropped, of a thousand buffers.
    pub fn drops_per_mille(&self) -> Option<f64> {
        Some(1000.0 * per(self.drops, self.tunnel_buffers)?)
    }
}

fn per(what: Option<u64>, of: Option<u64>) -> Option<f64> {
    let of = of.filter(|of| *of > 0)?;
    Some(what? as f64 / of as f64)
}
