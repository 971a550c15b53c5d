//! The small UDP packet that the programs are timed with, inside a tunnel and as the underlay sees it.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, bail};
use overlay_probe::inventory::Mac;

/// Payload bytes.
const PAYLOAD: u16 = 64;
/// UDP port of flannel's VXLAN.
const VXLAN_PORT: u16 = 8472;

/// A frame: Ethernet, IPv4, UDP, payload.
pub(super) fn frame(source: (Mac, IpAddr), destination: (Mac, IpAddr)) -> Result<Vec<u8>> {
    Ok(ethernet(
        source.0,
        destination.0,
        &udp(v4(source.1)?, v4(destination.1)?, 5000, &[0x5a; PAYLOAD as usize]),
    ))
}

/// A frame of the underlay that carries `inner` over VXLAN network 1.
pub(super) fn vxlan(source: (Mac, IpAddr), destination: (Mac, IpAddr), inner: &[u8]) -> Result<Vec<u8>> {
    let payload = [&[8, 0, 0, 0, 0, 0, 1, 0], inner].concat();
    Ok(ethernet(source.0, destination.0, &udp(v4(source.1)?, v4(destination.1)?, VXLAN_PORT, &payload)))
}

fn v4(address: IpAddr) -> Result<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => bail!("{address} is not IPv4"),
    }
}

fn ethernet(source: Mac, destination: Mac, packet: &[u8]) -> Vec<u8> {
    [&destination.0[..], &source.0, &[8, 0], packet].concat()
}

/// IPv4 and UDP without checksums: nobody looks at them here.
fn udp(source: Ipv4Addr, destination: Ipv4Addr, port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap_or(u16::MAX);
    let total = (length + 20).to_be_bytes();
    let [high, low] = length.to_be_bytes();
    let [port_high, port_low] = port.to_be_bytes();
    let ip = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 17, 0, 0];
    let udp = [0xc0, 0, port_high, port_low, high, low, 0, 0];
    [&ip[..], &source.octets(), &destination.octets(), &udp, payload].concat()
}
