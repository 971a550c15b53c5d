//! One question of ethtool's: which device is behind an interface. Kernels before 5.14 have it nowhere in netlink.

use std::{mem, os::fd::AsRawFd as _};

/// linux/ethtool.h.
const ETHTOOL_GDRVINFO: u32 = 3;

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    rest: [u8; 64],
}

/// The PCI address or other bus address of an interface in the calling thread's network namespace.
pub(super) fn bus_info(name: &str) -> Option<String> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).ok()?;
    // SAFETY: zeros are a value of both structures.
    let (mut request, mut info): (libc::ifreq, DriverInfo) = unsafe { (mem::zeroed(), mem::zeroed()) };
    info.command = ETHTOOL_GDRVINFO;
    // The last byte stays zero.
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut info).cast();
    // SAFETY: the kernel writes a `struct ethtool_drvinfo`, which is what the pointer leads to.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) } != 0 {
        return None;
    }
    let end = info.bus.iter().position(|&byte| byte == 0)?;
    let text = std::str::from_utf8(info.bus.get(..end)?).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}
