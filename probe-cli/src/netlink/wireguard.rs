//! WireGuard devices by generic netlink: reads them (`WG_CMD_GET_DEVICE`), and sets those of the lab (`WG_CMD_SET_DEVICE`).
//! The kernel says nothing when a peer changes, so whoever wants to know asks again.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{
    decode::{self, WireguardDevice},
    error::NetlinkError,
    generic,
    retry::{torn, whole},
    socket::{Dump, DumpSocket, Request},
};
use crate::{
    facts::netlink::{OfDevice, WireguardFact},
    observed::Observed,
};

/// linux/wireguard.h.
const WG_GENL_NAME: &[u8] = b"wireguard\0";
const WG_GENL_VERSION: u8 = 1;
const WG_CMD_GET_DEVICE: u8 = 0;
const WG_CMD_SET_DEVICE: u8 = 1;
const WGDEVICE_A_IFINDEX: u16 = 1;
const WGDEVICE_A_PRIVATE_KEY: u16 = 3;
const WGDEVICE_A_LISTEN_PORT: u16 = 6;
const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_PUBLIC_KEY: u16 = 1;
const WGPEER_A_FLAGS: u16 = 3;
const WGPEER_A_ENDPOINT: u16 = 4;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
const WGPEER_F_REMOVE_ME: u32 = 1 << 0;
const WGPEER_F_REPLACE_ALLOWEDIPS: u32 = 1 << 1;
const WGALLOWEDIP_A_FAMILY: u16 = 1;
const WGALLOWEDIP_A_IPADDR: u16 = 2;
const WGALLOWEDIP_A_CIDR_MASK: u16 = 3;
/// linux/netlink.h: what is inside are attributes again.
const NLA_F_NESTED: u16 = 1 << 15;

/// What reading the devices gave.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// Each with its answer, in the order asked for.
    pub(super) devices: Vec<OfDevice<WireguardFact>>,
    /// What is wrong with those that could be read.
    pub(super) notes: Vec<String>,
}

/// The devices with these interface indices. One that is gone meanwhile is absent: its link is, too.
pub(super) fn devices(socket: &mut DumpSocket, ifindices: &[u32]) -> Devices {
    let mut read = Devices::default();
    if ifindices.is_empty() {
        return read;
    }
    let family = family(socket);
    for &ifindex in ifindices {
        let told = match &family {
            Ok(family) => told(device(socket, *family, ifindex, &mut read.notes)),
            Err(error) => unread(error),
        };
        read.devices.push(OfDevice { ifindex, told });
    }
    read
}

fn told(answer: Result<WireguardFact, NetlinkError>) -> Observed<WireguardFact> {
    match answer {
        Ok(device) => Observed::Value(device),
        Err(error) => unread(&error),
    }
}

fn unread<T>(error: &NetlinkError) -> Observed<T> {
    let NetlinkError::Refused { source, .. } = error else {
        return Observed::Failed { error: error.to_string() };
    };
    match source.raw_os_error() {
        Some(libc::ENODEV) => Observed::Absent,
        Some(libc::EPERM) => Observed::Denied { need: "CAP_NET_ADMIN to list WireGuard peers".to_owned() },
        _ => Observed::Failed { error: error.to_string() },
    }
}

/// The number of WireGuard's family.
fn family(socket: &mut DumpSocket) -> Result<u16, NetlinkError> {
    generic::family(socket, "the generic netlink family of WireGuard", WG_GENL_NAME)
}

fn device(
    socket: &mut DumpSocket,
    family: u16,
    ifindex: u32,
    notes: &mut Vec<String>,
) -> Result<WireguardFact, NetlinkError> {
    const TABLE: &str = "WireGuard peers";
    let request = Request::new(TABLE, family, 4)
        .byte(0, WG_CMD_GET_DEVICE)
        .byte(1, WG_GENL_VERSION)
        .attribute(WGDEVICE_A_IFINDEX, ifindex);
    let mut attempt = || {
        let (mut device, mut causes) = (WireguardDevice::new(ifindex), decode::Problems::default());
        let dump = socket.dump(&request, |frame| {
            if frame.kind == family
                && let Err(cause) = device.take(frame.payload)
            {
                causes.add(cause);
            }
        })?;
        Ok((dump, (device, causes)))
    };
    let (dump, (device, causes)) = whole(&mut attempt)?;
    if dump == Dump::Torn {
        notes.push(torn(TABLE));
    }
    notes.extend(causes.lines());
    let (device, left_out) = device.finish();
    if left_out > 0 {
        notes.push(format!("{left_out} WireGuard peers and allowed IPs left out: there are too many"));
    }
    Ok(device)
}

/// Gives a device of the lab its private key and its port. The key does not stay in memory.
pub(super) fn set_key(
    socket: &mut DumpSocket,
    ifindex: u32,
    private_key: &[u8; 32],
    port: u16,
) -> Result<(), NetlinkError> {
    let request = set(socket, ifindex)?
        .bytes(WGDEVICE_A_PRIVATE_KEY, private_key)
        .bytes(WGDEVICE_A_LISTEN_PORT, &port.to_ne_bytes());
    let sent = socket.dump(&request, |_| {});
    request.wipe();
    sent.map(drop)
}

/// Gives a device of the lab a peer.
pub(super) fn set_peer(
    socket: &mut DumpSocket,
    ifindex: u32,
    public_key: &[u8; 32],
    endpoint: Option<SocketAddr>,
    allowed_ips: &[IpNet],
) -> Result<(), NetlinkError> {
    let allowed_ips = allowed_ips.iter().fold(Request::attributes(), |list, net| {
        let octets = match net.network() {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        };
        let family = if octets.len() == 4 { libc::AF_INET } else { libc::AF_INET6 };
        let entry = Request::attributes()
            .bytes(WGALLOWEDIP_A_FAMILY, &u16::try_from(family).unwrap_or(0).to_ne_bytes())
            .bytes(WGALLOWEDIP_A_IPADDR, &octets)
            .bytes(WGALLOWEDIP_A_CIDR_MASK, &[net.prefix_len()]);
        list.bytes(NLA_F_NESTED, &entry.body)
    });
    let mut peer = Request::attributes().bytes(WGPEER_A_PUBLIC_KEY, public_key);
    if let Some(endpoint) = endpoint {
        peer = peer.bytes(WGPEER_A_ENDPOINT, &sockaddr(endpoint));
    }
    let replace = WGPEER_F_REPLACE_ALLOWEDIPS.to_ne_bytes();
    let peer =
        peer.bytes(WGPEER_A_FLAGS, &replace).bytes(WGPEER_A_ALLOWEDIPS | NLA_F_NESTED, &allowed_ips.body);
    send_peer(socket, ifindex, &peer)
}

/// Takes a peer of a device of the lab away; one that is not there is gone already.
pub(super) fn remove_peer(
    socket: &mut DumpSocket,
    ifindex: u32,
    public_key: &[u8; 32],
) -> Result<(), NetlinkError> {
    let peer = Request::attributes()
        .bytes(WGPEER_A_PUBLIC_KEY, public_key)
        .bytes(WGPEER_A_FLAGS, &WGPEER_F_REMOVE_ME.to_ne_bytes());
    send_peer(socket, ifindex, &peer)
}

fn send_peer(socket: &mut DumpSocket, ifindex: u32, peer: &Request) -> Result<(), NetlinkError> {
    let peers = Request::attributes().bytes(NLA_F_NESTED, &peer.body);
    let request = set(socket, ifindex)?.bytes(WGDEVICE_A_PEERS | NLA_F_NESTED, &peers.body);
    socket.dump(&request, |_| {}).map(drop)
}

fn set(socket: &mut DumpSocket, ifindex: u32) -> Result<Request, NetlinkError> {
    Ok(Request::new("a WireGuard device to set", family(socket)?, 4)
        .single()
        .byte(0, WG_CMD_SET_DEVICE)
        .byte(1, WG_GENL_VERSION)
        .attribute(WGDEVICE_A_IFINDEX, ifindex))
}

/// `struct sockaddr_in` or `sockaddr_in6`: family in host order, port and address in network order.
fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut bytes = u16::try_from(family).unwrap_or(0).to_ne_bytes().to_vec();
    bytes.extend(address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(address) => {
            bytes.extend(address.flowinfo().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
    }
    bytes
}
