//! One question that ethtool answers by ioctl only: which driver and device are behind an interface. Its other answers are read
//! in `device`.

use std::{
    io, mem,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

use crate::{facts::netlink::DriverFact, observed::Observed};

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

/// The PCI address or other bus address of an interface in the network namespace of this socket; in the calling thread's without
/// one. Kernels before 5.14 have it nowhere in netlink.
pub(super) fn bus_info(name: &str, socket: Option<BorrowedFd<'_>>) -> Option<String> {
    let info = match socket {
        Some(socket) => driver_info(name, socket),
        None => driver_info_here(name),
    };
    let info = info.ok()?;
    Some(text(&info.bus)).filter(|text| !text.is_empty())
}

/// The driver of an interface in the calling thread's network namespace.
pub(super) fn driver(name: &str) -> Observed<DriverFact> {
    match driver_info_here(name) {
        Ok(info) => Observed::Value(DriverFact {
            name: text(&info.driver),
            version: text(&info.version),
            firmware: text(&info.firmware),
            bus: text(&info.bus),
        }),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENODEV) => Observed::Absent,
            Some(libc::EOPNOTSUPP) => Observed::Unsupported { why: "the driver has no name".to_owned() },
            _ => Observed::Failed { error: format!("cannot ask for the driver: {error}") },
        },
    }
}

fn driver_info_here(name: &str) -> io::Result<DriverInfo> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    driver_info(name, socket.as_fd())
}

fn driver_info(name: &str, socket: BorrowedFd<'_>) -> io::Result<DriverInfo> {
    // SAFETY: zeros are a value of both structures.
    let (mut request, mut info): (libc::ifreq, DriverInfo) = unsafe { (mem::zeroed(), mem::zeroed()) };
    info.command = ETHTOOL_GDRVINFO;
    // The last byte stays zero.
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut info).cast();
    // SAFETY: the kernel writes a `struct ethtool_drvinfo`, which is what the pointer leads to.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(info)
}

/// Up to the first zero. What is no UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
