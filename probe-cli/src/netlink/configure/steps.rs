//! What can be done to a namespace, as plain data. Nothing is done here.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::RawFd,
};

use ipnet::IpNet;

use crate::mac::Mac;

/// One step, in the network namespace that the list is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A veth pair: this end here, the other end in another namespace.
    Veth {
        /// This end.
        here: End,
        /// The other end.
        there: End,
        /// File descriptor of the other end's namespace.
        there_netns: RawFd,
    },
    /// A bridge.
    Bridge {
        /// Its name.
        name: String,
    },
    /// A macvlan device, which is up, in another namespace above a device here.
    Macvlan {
        /// Its name.
        name: String,
        /// The device below it.
        below: String,
        /// File descriptor of its namespace.
        there_netns: RawFd,
    },
    /// Words about a device that the kernel keeps (`ip link set alias`).
    Alias {
        /// The device.
        name: String,
        /// The words.
        alias: String,
    },
    /// A device becomes a port of a bridge.
    Port {
        /// The device.
        name: String,
        /// The bridge.
        bridge: String,
    },
    /// A VXLAN device as flannel makes it: no learning.
    Vxlan(Vxlan),
    /// A WireGuard device with a private key of its own, which nobody else gets to know.
    Wireguard(Wireguard),
    /// A peer of a WireGuard device.
    WireguardPeer(WireguardPeer),
    /// A peer of a WireGuard device goes away, if it is there.
    ForgetWireguardPeer {
        /// The device.
        name: String,
        /// The peer's public key.
        public_key: [u8; 32],
    },
    /// A device goes up.
    Up {
        /// Its name.
        name: String,
    },
    /// A device goes down.
    Down {
        /// Its name.
        name: String,
    },
    /// A device's link-layer address.
    LinkAddress {
        /// Its name.
        name: String,
        /// The address.
        mac: Mac,
    },
    /// A device's MTU in bytes.
    Mtu {
        /// Its name.
        name: String,
        /// The MTU.
        mtu: u32,
    },
    /// A device goes away, its peer with it.
    Delete {
        /// Its name.
        name: String,
    },
    /// An address, without duplicate address detection.
    Address {
        /// The device.
        name: String,
        /// Address and prefix length.
        address: IpNet,
    },
    /// An address goes away.
    DeleteAddress {
        /// The device.
        name: String,
        /// Address and prefix length.
        address: IpNet,
    },
    /// A route.
    Route(Route),
    /// A route that drops: flannel's `--ip-blackhole-route`.
    Blackhole {
        /// What it drops.
        destination: IpNet,
    },
    /// A route that drops goes away.
    DeleteBlackhole {
        /// What it drops.
        destination: IpNet,
    },
    /// A policy rule that drops packets from these addresses.
    Prohibit {
        /// Where they come from.
        from: IpNet,
        /// The rule's place: the smallest is asked first.
        priority: u32,
    },
    /// That rule goes away.
    DeleteProhibit {
        /// Where they come from.
        from: IpNet,
        /// The rule's place.
        priority: u32,
    },
    /// A permanent neighbour.
    Neighbour {
        /// The device.
        name: String,
        /// Its address.
        address: IpAddr,
        /// Its link-layer address.
        mac: Mac,
    },
    /// A permanent FDB entry of a VXLAN device.
    Fdb {
        /// The device.
        name: String,
        /// The inner MAC address.
        mac: Mac,
        /// Where frames to it go.
        destination: IpAddr,
    },
    /// A neighbour that did not answer.
    FailedNeighbour {
        /// The device.
        name: String,
        /// Its address.
        address: IpAddr,
    },
    /// A neighbour goes away.
    ForgetNeighbour {
        /// The device.
        name: String,
        /// Its address.
        address: IpAddr,
    },
    /// An FDB entry goes away.
    ForgetFdb {
        /// The device.
        name: String,
        /// The inner MAC address.
        mac: Mac,
        /// Where frames to it go.
        destination: IpAddr,
    },
    /// A route goes away.
    DeleteRoute(Route),
    /// A sysctl below `/proc/sys/net`.
    Sysctl {
        /// Path below it.
        path: String,
        /// Value.
        value: String,
    },
}

/// One end of a veth pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its name.
    pub name: String,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its link-layer address; the kernel chooses one when absent.
    pub mac: Option<Mac>,
}

/// A VXLAN device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// Its name.
    pub name: String,
    /// VXLAN network identifier.
    pub vni: u32,
    /// UDP port.
    pub port: u16,
    /// Outer source address.
    pub local: IpAddr,
    /// Underlay device.
    pub link: String,
    /// MTU in bytes.
    pub mtu: u32,
    /// Its link-layer address.
    pub mac: Mac,
    /// It takes every VNI, and its destinations from whoever sends (`external`).
    pub collect_metadata: bool,
}

/// A WireGuard device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wireguard {
    /// Its name.
    pub name: String,
    /// UDP port that it listens on and sends from.
    pub port: u16,
    /// MTU in bytes.
    pub mtu: u32,
}

/// A peer of a WireGuard device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireguardPeer {
    /// The device.
    pub name: String,
    /// The peer's public key.
    pub public_key: [u8; 32],
    /// Where outer packets to it go; none where that is not known.
    pub endpoint: Option<SocketAddr>,
    /// Inner addresses that are its.
    pub allowed_ips: Vec<IpNet>,
}

/// A unicast route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination.
    pub destination: IpNet,
    /// Next hop.
    pub via: Option<IpAddr>,
    /// Device.
    pub name: String,
    /// The next hop needs no route of its own.
    pub onlink: bool,
    /// Who wrote it (`rtm_protocol`); an administrator, unless something else is said.
    pub protocol: Option<u8>,
}
