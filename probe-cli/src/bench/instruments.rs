//! What eBPF shows of a path: the programs on it with what they cost, and what the tunnel's packets are. It is of one stream that is in
//! no round, since instruments cost time. Data only, with what is made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{encapsulation::Encapsulation, metric::Scenario};

/// What eBPF showed of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruments {
    /// Programs on the path's devices, and what ran elsewhere at least once for ten of the path's packets; null where the kernel does not
    /// tell.
    pub programs: Option<Vec<Program>>,
    /// What the sending node's tunnel device carried; null where our own programs did not count it.
    pub tunnel: Option<TunnelCounts>,
    /// Packets that the sending node's kernel dropped meanwhile on the tunnel and below it, by its own reason; null where that was not
    /// watched.
    pub drops: Option<BTreeMap<String, u64>>,
    /// How long the sending node's kernel took from the tunnel to the device below; null where that was not timed.
    #[serde(default)]
    pub encapsulation: Option<Encapsulation>,
    /// Why something of this is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// An eBPF program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The device that it is on; null for one that ran elsewhere.
    pub device: Option<Hooked>,
    /// Its name, as far as the kernel keeps it.
    pub name: String,
    /// It is one of ours, which only counted for this.
    #[serde(default)]
    pub is_own: bool,
    /// Runs during the stream, on all devices that it is on.
    pub runs: u64,
    /// Their time in nanoseconds, as the kernel took it (`BPF_ENABLE_STATS`).
    pub run_time_ns: u64,
}

/// Where a program is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooked {
    /// Where the device is: "node 1", "pod 2".
    pub place: String,
    /// Its name.
    pub name: String,
    /// What calls the program there.
    pub hook: Hook,
}

/// What calls a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// XDP: packets that arrive, before the kernel has a buffer for them.
    Xdp,
    /// TCX or clsact: packets that arrive.
    Ingress,
    /// TCX or clsact: packets that leave.
    Egress,
}

/// What the tunnel device sent, as our own programs count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelCounts {
    /// Buffers: with GSO one is many packets.
    pub buffers: u64,
    /// Packets on the wire.
    pub packets: u64,
    /// Bytes of the inner IP packets.
    pub inner_bytes: u64,
    /// Bytes of the outer IP packets.
    pub outer_bytes: u64,
    /// Payload bytes of the stream that arrived.
    pub payload_bytes: Option<u64>,
    /// The tunnel device's MTU in bytes.
    pub mtu: u32,
}

impl Program {
    /// Mean time of a run in nanoseconds; none of one that did not run.
    pub fn ns_per_run(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.run_time_ns as f64 / self.runs as f64)
    }
}

/// IP and TCP headers with timestamps, of which each segment has one.
const TCP_OVER_IPV4: u32 = 20 + 32;
const TCP_OVER_IPV6: u32 = 40 + 32;

impl TunnelCounts {
    /// Bytes that the tunnel adds to a packet.
    pub fn overhead(&self) -> Option<f64> {
        per(self.outer_bytes.saturating_sub(self.inner_bytes), self.packets)
    }

    /// Packets in a buffer.
    pub fn packets_per_buffer(&self) -> Option<f64> {
        per(self.packets, self.buffers)
    }

    /// Payload bytes in a packet on the wire.
    pub fn payload_per_packet(&self) -> Option<f64> {
        per(self.payload_bytes?, self.packets)
    }

    /// The part of the outer IP bytes that is payload.
    pub fn goodput(&self) -> Option<f64> {
        per(self.payload_bytes?, self.outer_bytes)
    }

    /// The most that this part can be with this MTU and this family: of packets that are all full.
    pub fn ceiling(&self, scenario: Scenario) -> Option<f64> {
        let headers = match scenario {
            Scenario::VxlanV4 | Scenario::VxlanV4Jumbo | Scenario::Wireguard => TCP_OVER_IPV4,
            Scenario::VxlanV6 => TCP_OVER_IPV6,
            Scenario::Remote => return None,
        };
        let payload = self.mtu.checked_sub(headers)?;
        Some(f64::from(payload) / (f64::from(self.mtu) + self.overhead()?))
    }
}

fn per(amount: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| amount as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::testdata::full_packets;

    #[test]
    fn a_stream_of_full_packets_reaches_the_ceiling() {
        let counts = full_packets(400);
        assert_eq!(counts.overhead(), Some(50.0));
        assert_eq!(counts.packets_per_buffer(), Some(40.0));
        assert_eq!(counts.payload_per_packet(), Some(1398.0));
        assert_eq!(counts.goodput(), Some(1398.0 / 1500.0));
        assert_eq!(counts.ceiling(Scenario::VxlanV4), counts.goodput());
        assert_eq!(counts.ceiling(Scenario::VxlanV6), Some(1378.0 / 1500.0));
        assert_eq!(counts.ceiling(Scenario::Remote), None);
        let nothing = TunnelCounts { mtu: 1450, payload_bytes: Some(0), ..TunnelCounts::default() };
        assert_eq!((nothing.overhead(), nothing.goodput()), (None, None));
        assert_eq!((nothing.packets_per_buffer(), nothing.ceiling(Scenario::VxlanV4)), (None, None));
        let unknown = TunnelCounts { payload_bytes: None, ..counts };
        assert_eq!((unknown.payload_per_packet(), unknown.goodput()), (None, None));
        // A file may say anything.
        assert_eq!(TunnelCounts { mtu: 7, ..counts }.ceiling(Scenario::VxlanV4), None);
    }

    #[test]
    fn a_program_that_did_not_run_has_no_time() {
        let program = Program { runs: 4, run_time_ns: 8200, ..Program::default() };
        assert_eq!(program.ns_per_run(), Some(2050.0));
        assert_eq!(Program::default().ns_per_run(), None);
    }
}
