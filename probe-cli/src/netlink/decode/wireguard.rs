//! `WG_CMD_GET_DEVICE`: `WGDEVICE_A_*` and `WGPEER_A_*`, as `wg_get_device_dump` in drivers/net/wireguard/netlink.c
//! writes them (Linux 5.10 to 7.3). Nothing about other messages.
//!
//! The reply carries the private key and the preshared keys. They are skipped without being looked at: no code here
//! reads those attributes' values, and the socket wipes its buffer after each datagram.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use ipnet::IpNet;

use super::{Attribute, Message};
use crate::{
    facts::netlink::{PublicKey, WireguardFact, WireguardPeerFact},
    netlink::error::DecodeError,
};

// linux/wireguard.h; not in libc. WGDEVICE_A_PRIVATE_KEY is 3.
const WGDEVICE_A_IFINDEX: u16 = 1;
const WGDEVICE_A_PUBLIC_KEY: u16 = 4;
const WGDEVICE_A_LISTEN_PORT: u16 = 6;
const WGDEVICE_A_FWMARK: u16 = 7;
const WGDEVICE_A_PEERS: u16 = 8;
// WGPEER_A_PRESHARED_KEY is 2.
const WGPEER_A_PUBLIC_KEY: u16 = 1;
const WGPEER_A_ENDPOINT: u16 = 4;
const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL: u16 = 5;
const WGPEER_A_LAST_HANDSHAKE_TIME: u16 = 6;
const WGPEER_A_RX_BYTES: u16 = 7;
const WGPEER_A_TX_BYTES: u16 = 8;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
const WGALLOWEDIP_A_FAMILY: u16 = 1;
const WGALLOWEDIP_A_IPADDR: u16 = 2;
const WGALLOWEDIP_A_CIDR_MASK: u16 = 3;

/// Bytes of `struct genlmsghdr`.
const GENERIC_HEADER: usize = 4;

/// Peers kept of one device. The kernel takes a million (`MAX_PEERS_PER_DEVICE`); a cluster has at most some thousand
/// nodes.
const MAX_PEERS: usize = 65_536;
/// Allowed IPs kept of one device.
const MAX_ALLOWED_IPS: usize = 262_144;

/// One device, put together from the messages of one dump: a device with many peers takes several, and so does a
/// peer with many allowed IPs, which then begins again with nothing but its public key.
#[derive(Debug, Default)]
pub(in crate::netlink) struct WireguardDevice {
    device: WireguardFact,
    /// Where each peer is in the list.
    places: HashMap<[u8; 32], usize>,
    allowed_ips: usize,
    left_out: usize,
}

impl WireguardDevice {
    /// A device of which only the index is known.
    pub(in crate::netlink) fn new(ifindex: u32) -> Self {
        Self { device: WireguardFact { ifindex, ..WireguardFact::default() }, ..Self::default() }
    }

    /// Takes the next message of the dump.
    pub(in crate::netlink) fn take(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        let message = Message::new("WG_CMD_GET_DEVICE", payload, GENERIC_HEADER)?;
        for attribute in message.attributes() {
            let attribute = attribute?;
            match attribute.kind {
                WGDEVICE_A_IFINDEX if attribute.u32()? != self.device.ifindex => {
                    return Err(message.missing("WGDEVICE_A_IFINDEX"));
                }
                WGDEVICE_A_PUBLIC_KEY => self.device.public_key = Some(PublicKey(attribute.exactly()?)),
                WGDEVICE_A_LISTEN_PORT => self.device.listen_port = attribute.u16()?,
                WGDEVICE_A_FWMARK => self.device.fwmark = attribute.u32()?,
                WGDEVICE_A_PEERS => {
                    for peer in attribute.nested() {
                        self.peer(&peer?)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The device, and how many peers and allowed IPs of it were too many to keep.
    pub(in crate::netlink) fn finish(self) -> (WireguardFact, usize) {
        (self.device, self.left_out)
    }

    fn peer(&mut self, attribute: &Attribute<'_>) -> Result<(), DecodeError> {
        // The key comes first, but an attribute's place is not part of the interface.
        let key = attribute
            .nested()
            .find_map(|part| part.ok().filter(|part| part.kind == WGPEER_A_PUBLIC_KEY))
            .ok_or(DecodeError::Missing { message: attribute.message, what: "WGPEER_A_PUBLIC_KEY" })?
            .exactly()?;
        let known = self.places.get(&key).copied();
        if known.is_none() && self.device.peers.len() >= MAX_PEERS {
            self.left_out += 1;
            return Ok(());
        }
        let place = known.unwrap_or_else(|| {
            let fresh = WireguardPeerFact { public_key: PublicKey(key), ..WireguardPeerFact::default() };
            self.device.peers.push(fresh);
            self.places.insert(key, self.device.peers.len() - 1);
            self.device.peers.len() - 1
        });
        let Some(peer) = self.device.peers.get_mut(place) else { return Ok(()) };
        for part in attribute.nested() {
            let part = part?;
            match part.kind {
                WGPEER_A_ENDPOINT => peer.endpoint = endpoint(&part)?,
                WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL => peer.keepalive_s = part.u16()?,
                WGPEER_A_LAST_HANDSHAKE_TIME => peer.counters.last_handshake = handshake(&part)?,
                WGPEER_A_RX_BYTES => peer.counters.rx_bytes = part.u64()?,
                WGPEER_A_TX_BYTES => peer.counters.tx_bytes = part.u64()?,
                WGPEER_A_ALLOWEDIPS => {
                    for allowed in part.nested() {
                        let allowed = allowed_ip(&allowed?)?;
                        if self.allowed_ips >= MAX_ALLOWED_IPS {
                            self.left_out += 1;
                        } else if let Some(allowed) = allowed {
                            self.allowed_ips += 1;
                            peer.allowed_ips.push(allowed);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// `struct sockaddr_in` or `struct sockaddr_in6`, told apart by the family in front; none for another family, of which
/// WireGuard has none.
fn endpoint(attribute: &Attribute<'_>) -> Result<Option<SocketAddr>, DecodeError> {
    const IPV4: usize = size_of::<libc::sockaddr_in>();
    const IPV6: usize = size_of::<libc::sockaddr_in6>();
    let bytes = attribute.value;
    let number = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<2>().copied());
    let (Some(family), Some(port)) = (number(0), number(2)) else { return Err(attribute.wrong_size()) };
    let port = u16::from_be_bytes(port);
    match (i32::from(u16::from_ne_bytes(family)), bytes.len()) {
        (libc::AF_INET, IPV4) => {
            let octets: [u8; 4] = slice(bytes, 4).ok_or_else(|| attribute.wrong_size())?;
            Ok(Some(SocketAddr::from((Ipv4Addr::from(octets), port))))
        }
        (libc::AF_INET6, IPV6) => {
            let octets: [u8; 16] = slice(bytes, 8).ok_or_else(|| attribute.wrong_size())?;
            let scope: [u8; 4] = slice(bytes, 24).ok_or_else(|| attribute.wrong_size())?;
            let scope = u32::from_ne_bytes(scope);
            Ok(Some(SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, scope).into()))
        }
        (libc::AF_INET | libc::AF_INET6, _) => Err(attribute.wrong_size()),
        _ => Ok(None),
    }
}

/// `struct __kernel_timespec`: seconds and nanoseconds, 64 bits each. Zero is "never" (`wg_peer_create` leaves it so).
fn handshake(attribute: &Attribute<'_>) -> Result<Option<Duration>, DecodeError> {
    let bytes = attribute.exactly::<16>()?;
    let number = |at| slice(&bytes, at).map(i64::from_ne_bytes).ok_or_else(|| attribute.wrong_size());
    let (seconds, nanoseconds) = (number(0)?, number(8)?);
    if (seconds, nanoseconds) == (0, 0) {
        return Ok(None);
    }
    // A wall clock before 1970 or a broken fraction: no time that can be shown.
    let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds)) else {
        return Err(attribute.wrong_size());
    };
    if nanoseconds >= 1_000_000_000 {
        return Err(attribute.wrong_size());
    }
    Ok(Some(Duration::new(seconds, nanoseconds)))
}

/// None for a family that is neither IPv4 nor IPv6.
fn allowed_ip(attribute: &Attribute<'_>) -> Result<Option<IpNet>, DecodeError> {
    let missing = |what| DecodeError::Missing { message: attribute.message, what };
    let (mut family, mut address, mut length) = (None, None, None);
    for part in attribute.nested() {
        let part = part?;
        match part.kind {
            WGALLOWEDIP_A_FAMILY => family = Some(part.u16()?),
            WGALLOWEDIP_A_IPADDR => address = Some(part),
            WGALLOWEDIP_A_CIDR_MASK => length = Some(part.u8()?),
            _ => {}
        }
    }
    let family = family.ok_or_else(|| missing("WGALLOWEDIP_A_FAMILY"))?;
    let address = address.ok_or_else(|| missing("WGALLOWEDIP_A_IPADDR"))?;
    let length = length.ok_or_else(|| missing("WGALLOWEDIP_A_CIDR_MASK"))?;
    let address: IpAddr = match i32::from(family) {
        libc::AF_INET => Ipv4Addr::from(address.exactly::<4>()?).into(),
        libc::AF_INET6 => Ipv6Addr::from(address.exactly::<16>()?).into(),
        _ => return Ok(None),
    };
    match IpNet::new(address, length) {
        Ok(net) => Ok(Some(net.trunc())),
        Err(_) => Err(missing("WGALLOWEDIP_A_CIDR_MASK")),
    }
}

fn slice<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
