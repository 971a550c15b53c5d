//! Reads one table into so many rows at most, again when it was torn. Which tables, and what is in them, is in the files beside
//! this.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use super::{
    decode::{Frame, Problems},
    error::{DecodeError, NetlinkError},
    retry::{torn, whole},
    socket::{Dump, DumpSocket, Request},
};
use crate::{facts::Bounded, observed::Observed};

/// The rows that `decode` makes of the answer, at most `most` of them.
pub(super) fn rows<T, R: IntoIterator<Item = T>>(
    socket: &Mutex<DumpSocket>,
    request: &Request,
    most: usize,
    decode: impl Fn(&Frame<'_>) -> Result<R, DecodeError>,
) -> Observed<Bounded<T>> {
    let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
    let mut attempt = || {
        let (mut found, mut problems) = (Bounded::default(), Problems::default());
        let dump = socket.dump(request, |frame| match decode(&frame) {
            Ok(rows) => rows.into_iter().for_each(|row| found.add(row, most)),
            Err(cause) => problems.add(cause),
        })?;
        Ok((dump, (found, problems)))
    };
    match whole(&mut attempt) {
        Ok((dump, (mut found, problems))) => {
            found.notes.extend((dump == Dump::Torn).then(|| torn(request.table)));
            found.notes.extend(problems.lines());
            Observed::Value(found)
        }
        Err(error) => observed(&error),
    }
}

/// What an error is, as an answer.
pub(super) fn observed<T>(error: &NetlinkError) -> Observed<T> {
    let NetlinkError::Refused { table, source } = error else {
        return Observed::Failed { error: error.to_string() };
    };
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            Observed::Denied { need: format!("CAP_NET_ADMIN, to read {table}") }
        }
        Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT) => {
            Observed::Unsupported { why: format!("the kernel does not list {table}") }
        }
        Some(libc::ENODEV) => Observed::Absent,
        _ if source.kind() == io::ErrorKind::NotFound => Observed::Absent,
        _ => Observed::Failed { error: error.to_string() },
    }
}
