//! Which number a generic netlink family has. What is asked of the family is in the files of its users.

use std::{io, sync::PoisonError};

use super::{
    decode,
    error::NetlinkError,
    rows::observed,
    socket::{DumpSocket, Request},
    source::Source,
};
use crate::observed::Observed;

/// `CTRL_CMD_GETFAMILY` and `CTRL_ATTR_FAMILY_NAME`, linux/genetlink.h; the controller's own number is
/// `GENL_ID_CTRL`.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// The number of the family with this name, which ends with a zero; `table` is what people call the question. Asked for each
/// time: it is another one after the module was loaded again. The kernel loads the module of a family that it does not know.
pub(super) fn family(socket: &mut DumpSocket, table: &'static str, name: &[u8]) -> Result<u16, NetlinkError> {
    let request = Request::new(table, GENL_ID_CTRL, 4)
        .byte(0, CTRL_CMD_GETFAMILY)
        .byte(1, 1)
        .bytes(CTRL_ATTR_FAMILY_NAME, name)
        .single();
    let mut found = None;
    socket.dump(&request, |frame| found = found.or(decode::family(frame.payload).ok()))?;
    let none = || io::Error::new(io::ErrorKind::NotFound, "no number in the answer");
    found.ok_or_else(|| NetlinkError::Refused { table, source: none() })
}

impl Source {
    /// Whether the kernel has the family with this name now. Looking for it by name would load its module; this lists all of
    /// them instead.
    pub fn has_generic_family(&self, name: &str) -> Observed<bool> {
        const TABLE: &str = "generic netlink families";
        let request = Request::new(TABLE, GENL_ID_CTRL, 4).byte(0, CTRL_CMD_GETFAMILY).byte(1, 1);
        let mut socket = self.generic.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has = false;
        let listed = socket.dump(&request, |frame| {
            has |= decode::family_name(frame.payload).is_ok_and(|found| found == name);
        });
        match listed {
            Ok(_) => Observed::Value(has),
            Err(error) => observed(&error),
        }
    }
}
