//! Counters of one instant: they only grow until the machine starts again, unless a field says how it wraps. Rates come from
//! two of these and are made in the model.

mod conntrack;
mod cpu;
mod link;
mod node;
mod protocol;
mod softnet;

pub use self::{
    conntrack::{ConntrackCounters, ConntrackEvents},
    cpu::CpuCounters,
    link::LinkStatistics,
    node::NodeCounters,
    protocol::{
        IcmpCounters, IpCounters, Netstat, ProtocolCounters, Snmp, Snmp6, TcpCounters, TcpExtension,
        UdpCounters,
    },
    softnet::SoftnetCounters,
};
