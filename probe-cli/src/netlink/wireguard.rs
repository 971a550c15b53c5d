//! Reads WireGuard devices by generic netlink (`WG_CMD_GET_DEVICE`). The kernel says nothing when a peer changes, so
//! whoever wants to know asks again.

use super::{
    decode::{self, WireguardDevice},
    error::NetlinkError,
    facts::WireguardFact,
    socket::{Dump, DumpSocket, Request},
    source::{RETRIES, torn},
};

/// `CTRL_CMD_GETFAMILY` and `CTRL_ATTR_FAMILY_NAME`, linux/genetlink.h; the controller's own number is
/// `GENL_ID_CTRL`.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// linux/wireguard.h.
const WG_GENL_NAME: &[u8] = b"wireguard\0";
const WG_GENL_VERSION: u8 = 1;
const WG_CMD_GET_DEVICE: u8 = 0;
const WGDEVICE_A_IFINDEX: u16 = 1;

/// What reading the devices gave.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// Those that could be read, in the order asked for.
    pub(super) devices: Vec<WireguardFact>,
    /// What could not, with the cause.
    pub(super) problems: Vec<String>,
}

/// The devices with these interface indices. One that is gone meanwhile is left out without a word: its link is, too.
pub(super) fn devices(socket: &mut DumpSocket, ifindices: &[u32]) -> Devices {
    let mut read = Devices::default();
    if ifindices.is_empty() {
        return read;
    }
    let family = match family(socket) {
        Ok(family) => family,
        Err(error) => {
            read.problems.push(error.to_string());
            return read;
        }
    };
    for &ifindex in ifindices {
        match device(socket, family, ifindex, &mut read.problems) {
            Ok(device) => read.devices.push(device),
            Err(NetlinkError::Refused { source, .. }) if source.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => read.problems.push(error.to_string()),
        }
    }
    read
}

/// The number of WireGuard's family. Asked for each time: it is another one after the module was loaded again.
fn family(socket: &mut DumpSocket) -> Result<u16, NetlinkError> {
    const TABLE: &str = "the generic netlink family of WireGuard";
    let request = Request::new(TABLE, GENL_ID_CTRL, 4)
        .byte(0, CTRL_CMD_GETFAMILY)
        .byte(1, 1)
        .bytes(CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME)
        .single();
    let mut found = None;
    socket.dump(&request, |frame| found = found.or(decode::family(frame.payload).ok()))?;
    found.ok_or(NetlinkError::Refused {
        table: TABLE,
        source: std::io::Error::new(std::io::ErrorKind::NotFound, "no number in the answer"),
    })
}

fn device(
    socket: &mut DumpSocket,
    family: u16,
    ifindex: u32,
    problems: &mut Vec<String>,
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
        Ok::<_, NetlinkError>((dump, device, causes))
    };
    let mut last = attempt()?;
    for _ in 0..RETRIES {
        if last.0 == Dump::Whole {
            break;
        }
        last = attempt()?;
    }
    let (dump, device, causes) = last;
    if dump == Dump::Torn {
        problems.push(torn(TABLE));
    }
    problems.extend(causes.lines());
    let (device, left_out) = device.finish();
    if left_out > 0 {
        problems.push(format!("{left_out} WireGuard peers and allowed IPs left out: there are too many"));
    }
    Ok(device)
}
