//! What is measured: scenarios, the two sides of each, what is sent, and what is made of it. Names and directions, no numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A data plane between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// flannel's VXLAN over IPv4.
    VxlanV4,
    /// The same over NICs with an MTU of 9000.
    VxlanV4Jumbo,
    /// flannel's VXLAN over IPv6.
    VxlanV6,
    /// flannel's WireGuard over IPv4.
    Wireguard,
    /// Whatever is between two machines; no lab.
    Remote,
}

impl Scenario {
    /// Those that are measured where nobody asks for others.
    pub const USUAL: [Self; 3] = [Self::VxlanV4, Self::VxlanV6, Self::Wireguard];
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::VxlanV4, Self::VxlanV4Jumbo, Self::VxlanV6, Self::Wireguard, Self::Remote];

    /// As on the command line and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::VxlanV4 => "vxlan-v4",
            Self::VxlanV4Jumbo => "vxlan-v4-jumbo",
            Self::VxlanV6 => "vxlan-v6",
            Self::Wireguard => "wireguard",
            Self::Remote => "remote",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// From node to node over the underlay: the anchor, in which the machine's own speed shows.
    Host,
    /// From pod to pod, through the tunnel.
    Overlay,
}

/// What is sent in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// One TCP connection that sends as fast as it can.
    Stream,
    /// UDP datagrams of 64 bytes, as fast as they go.
    Datagrams,
    /// The same of 512 bytes, or of as many as fit where that is less.
    #[serde(rename = "datagrams_512")]
    Datagrams512,
    /// The same of as many bytes as fit the overlay's smallest MTU.
    DatagramsFull,
    /// A request and a response of one byte each in turn, over TCP.
    Requests,
    /// [`FLOWS`] TCP connections at once that send as fast as they can.
    Streams,
    /// Requests while one TCP connection sends as fast as it can.
    LoadedRequests,
    /// TCP connections one after the other: opened, a byte there and one back, closed.
    Connections,
    /// Whatever a command of somebody else sends, in place of the usual.
    Command,
}

/// Connections of [`Load::Streams`]: as many as published comparisons of CNIs use.
pub const FLOWS: usize = 8;

impl Load {
    /// Those that are always measured.
    pub const USUAL: [Self; 3] = [Self::Stream, Self::Datagrams, Self::Requests];
}

/// What is compared: overlay over host, of one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Bits per second of the stream.
    Throughput,
    /// Packets per second of the datagrams.
    PacketRate,
    /// The same of 512 bytes.
    #[serde(rename = "packet_rate_512")]
    PacketRate512,
    /// The same of the largest that fit.
    PacketRateFull,
    /// CPU time of the machine for each gigabit of the stream.
    CpuPerGbit,
    /// Half of the requests are answered within this.
    LatencyP50,
    /// 99 of 100 requests are answered within this.
    LatencyP99,
    /// Bits per second of several streams together.
    ThroughputN,
    /// Half of the requests are answered within this while a stream runs.
    #[serde(rename = "loaded_latency_p50")]
    LoadedP50,
    /// 99 of 100 requests are answered within this while a stream runs.
    #[serde(rename = "loaded_latency_p99")]
    LoadedP99,
    /// Connections per second, one after the other.
    ConnectionRate,
    /// Bits per second that the receiving device counts of what a command sends.
    CommandThroughput,
    /// CPU time of the machine for each gigabit of that.
    CommandCpuPerGbit,
}

impl Metric {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::Throughput,
        Self::PacketRate,
        Self::CpuPerGbit,
        Self::LatencyP50,
        Self::LatencyP99,
        Self::PacketRate512,
        Self::PacketRateFull,
        Self::ThroughputN,
        Self::LoadedP50,
        Self::LoadedP99,
        Self::ConnectionRate,
        Self::CommandThroughput,
        Self::CommandCpuPerGbit,
    ];

    /// What is sent to measure it.
    pub fn load(self) -> Load {
        match self {
            Self::Throughput | Self::CpuPerGbit => Load::Stream,
            Self::PacketRate => Load::Datagrams,
            Self::PacketRate512 => Load::Datagrams512,
            Self::PacketRateFull => Load::DatagramsFull,
            Self::LatencyP50 | Self::LatencyP99 => Load::Requests,
            Self::ThroughputN => Load::Streams,
            Self::LoadedP50 | Self::LoadedP99 => Load::LoadedRequests,
            Self::ConnectionRate => Load::Connections,
            Self::CommandThroughput | Self::CommandCpuPerGbit => Load::Command,
        }
    }

    /// More of it is better.
    pub fn is_rate(self) -> bool {
        match self {
            Self::Throughput
            | Self::PacketRate
            | Self::PacketRate512
            | Self::PacketRateFull
            | Self::ThroughputN
            | Self::ConnectionRate
            | Self::CommandThroughput => true,
            Self::CpuPerGbit
            | Self::LatencyP50
            | Self::LatencyP99
            | Self::LoadedP50
            | Self::LoadedP99
            | Self::CommandCpuPerGbit => false,
        }
    }

    /// It decides; the others inform.
    pub fn gates(self) -> bool {
        matches!(
            self,
            Self::Throughput
                | Self::PacketRate
                | Self::CpuPerGbit
                | Self::CommandThroughput
                | Self::CommandCpuPerGbit
        )
    }

    /// As in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::PacketRate => "packet_rate",
            Self::PacketRate512 => "packet_rate_512",
            Self::PacketRateFull => "packet_rate_full",
            Self::CpuPerGbit => "cpu_per_gbit",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP99 => "latency_p99",
            Self::ThroughputN => "throughput_n",
            Self::LoadedP50 => "loaded_latency_p50",
            Self::LoadedP99 => "loaded_latency_p99",
            Self::ConnectionRate => "connection_rate",
            Self::CommandThroughput => "command_throughput",
            Self::CommandCpuPerGbit => "command_cpu_per_gbit",
        }
    }

    /// As in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Throughput => "TCP throughput",
            Self::PacketRate => "64-byte packet rate",
            Self::PacketRate512 => "512-byte packet rate",
            Self::PacketRateFull => "full packet rate",
            Self::CpuPerGbit => "CPU per Gbit",
            Self::LatencyP50 => "latency p50",
            Self::LatencyP99 => "latency p99",
            Self::ThroughputN => "TCP throughput, 8 flows",
            Self::LoadedP50 => "latency p50 under load",
            Self::LoadedP99 => "latency p99 under load",
            Self::ConnectionRate => "TCP connection rate",
            Self::CommandThroughput => "throughput of --load",
            Self::CommandCpuPerGbit => "CPU per Gbit of --load",
        }
    }

    /// The logarithm of what the overlay costs beside the host: it grows when things get worse.
    pub fn cost(self, overlay: f64, host: f64) -> Option<f64> {
        let is_good = |value: f64| value.is_finite() && value > 0.0;
        if !is_good(overlay) || !is_good(host) {
            return None;
        }
        let ratio = (overlay / host).ln();
        Some(if self.is_rate() { -ratio } else { ratio })
    }

    /// Overlay over host, of such a logarithm.
    pub fn ratio(self, cost: f64) -> f64 {
        (if self.is_rate() { -cost } else { cost }).exp()
    }

    /// By what share the ratio changes when the cost grows by this: a rate falls, a time grows.
    pub fn change(self, growth: f64) -> f64 {
        self.ratio(growth) - 1.0
    }

    /// By how much the cost grows when the ratio gets worse by this share.
    pub fn margin(self, share: f64) -> f64 {
        if self.is_rate() { -(1.0 - share).ln() } else { (1.0 + share).ln() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_more_cost_whatever_the_metric() {
        for (metric, base, new) in [
            (Metric::Throughput, (7.0, 10.0), (6.65, 10.0)),
            (Metric::LatencyP99, (14.0, 10.0), (14.7, 10.0)),
            // The machine is half as fast; the ratio is not.
            (Metric::PacketRate, (7.0, 10.0), (3.325, 5.0)),
            (Metric::CpuPerGbit, (1.4, 1.0), (2.94, 2.0)),
        ] {
            let cost = |(overlay, host)| metric.cost(overlay, host).unwrap();
            let growth = cost(new) - cost(base);
            assert!((growth - metric.margin(0.05)).abs() < 1e-9, "{metric:?}: {growth}");
            assert!((metric.change(growth).abs() - 0.05).abs() < 1e-9, "{metric:?}");
            assert!((metric.ratio(cost(base)) - base.0 / base.1).abs() < 1e-9, "{metric:?}");
        }
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!((Metric::Throughput.cost(bad, 1.0), Metric::Throughput.cost(1.0, bad)), (None, None));
        }
    }

    #[test]
    fn the_title_says_how_many_flows() {
        assert!(Metric::ThroughputN.title().ends_with(&format!("{FLOWS} flows")));
    }

    #[test]
    fn names_are_those_of_documents() {
        for scenario in Scenario::ALL {
            assert_eq!(serde_json::to_value(scenario).unwrap(), scenario.name());
        }
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
            let decides = Load::USUAL.contains(&metric.load()) || metric.load() == Load::Command;
            assert!(decides || !metric.gates(), "{metric:?}");
        }
    }
}
