//! A blocking netlink socket that dumps one table at a time. What the messages mean is in `decode`.
//!
//! The kernel makes a dump's answer inside the system calls of whoever reads it (`netlink_dump` from `sendto` and
//! `recvmsg`), so reading never waits for anything but locks: there is nothing for an async runtime to wait for. The
//! receive timeout is for a kernel that breaks this.

use std::{
    fmt, io,
    os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd},
    time::Duration,
};

use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_GENERIC, NETLINK_ROUTE},
};
use zeroize::Zeroize as _;

use super::{
    decode::{FRAME_HEADER, Frame, frames},
    error::NetlinkError,
};

/// The kernel's datagrams of a dump have at most 32 KiB (`netlink_dump`), those of a single answer are as long as they
/// must be: a link with 256 VFs takes some 80 KiB.
pub(super) const DATAGRAM: usize = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a dump asks for: `nlmsg_type`, the bytes after the header, and its name for errors.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Name of the table, as an operator would say it.
    pub(super) table: &'static str,
    /// `RTM_GET*`, or the number of a generic netlink family.
    pub(super) kind: u16,
    /// `NLM_F_*` beside `NLM_F_REQUEST`.
    pub(super) flags: i32,
    /// The message's fixed part and attributes.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A request with the zeroed fixed part that strict checking wants.
    pub(super) fn new(table: &'static str, kind: u16, fixed: usize) -> Self {
        Self { table, kind, flags: libc::NLM_F_DUMP, body: vec![0; fixed] }
    }

    /// Attributes to be the value of another one.
    pub(super) fn attributes() -> Self {
        Self::new("", 0, 0)
    }

    /// Leaves nothing of it in memory: it may hold a key.
    pub(super) fn wipe(mut self) {
        self.body.zeroize();
    }

    /// Asks for one answer and the kernel's acknowledgement instead of a dump.
    pub(super) fn single(mut self) -> Self {
        self.flags = libc::NLM_F_ACK;
        self
    }

    /// Sets the byte at `at` of the fixed part.
    pub(super) fn byte(mut self, at: usize, value: u8) -> Self {
        if let Some(byte) = self.body.get_mut(at) {
            *byte = value;
        }
        self
    }

    /// Adds an attribute of four bytes.
    pub(super) fn attribute(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute; `value` is at most 64 KiB less the header.
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
        self.body.extend_from_slice(&len.to_ne_bytes());
        self.body.extend_from_slice(&kind.to_ne_bytes());
        self.body.extend_from_slice(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    fn encode(&self, sequence: u32) -> Vec<u8> {
        let len = FRAME_HEADER + self.body.len();
        let flags = libc::NLM_F_REQUEST | self.flags;
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_ne_bytes());
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&u16::try_from(flags).unwrap_or(0).to_ne_bytes());
        bytes.extend_from_slice(&sequence.to_ne_bytes());
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Whether a dump is one consistent picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    /// Nothing changed while it was read.
    Whole,
    /// The table changed while it was read (`NLM_F_DUMP_INTR`): entries may be missing or doubled.
    Torn,
}

/// A socket for dumps, bound to the network namespace of the thread that opened it.
pub(super) struct DumpSocket {
    socket: Socket,
    sequence: u32,
    /// Wiped after each datagram: WireGuard's carry keys. So it is not shown either.
    buffer: Vec<u8>,
}

impl fmt::Debug for DumpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl DumpSocket {
    /// Opens one for rtnetlink in the calling thread's network namespace.
    pub(super) fn open() -> Result<Self, NetlinkError> {
        Self::of(NETLINK_ROUTE)
    }

    /// Opens one for generic netlink, likewise.
    pub(super) fn open_generic() -> Result<Self, NetlinkError> {
        Self::of(NETLINK_GENERIC)
    }

    fn of(protocol: isize) -> Result<Self, NetlinkError> {
        Self::on(Socket::new(protocol).map_err(|source| NetlinkError::Open { step: "socket", source })?)
    }

    /// Takes one that somebody has opened for netlink, in whatever namespace.
    pub(super) fn given(socket: OwnedFd) -> Result<Self, NetlinkError> {
        // SAFETY: the descriptor is a socket of netlink that nobody else has.
        Self::on(unsafe { Socket::from_raw_fd(socket.into_raw_fd()) })
    }

    fn on(mut socket: Socket) -> Result<Self, NetlinkError> {
        let open = |step| move |source| NetlinkError::Open { step, source };
        socket.bind_auto().map_err(open("bind"))?;
        // Filters in requests are only honoured with strict checking (since Linux 4.20).
        socket.set_netlink_get_strict_chk(true).map_err(open("NETLINK_GET_STRICT_CHK"))?;
        socket2::SockRef::from(&socket).set_read_timeout(Some(TIMEOUT)).map_err(open("SO_RCVTIMEO"))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Sends `request` and hands every message of the answer to `each`. Neither the request nor the answer stays in
    /// memory: both may hold keys.
    pub(super) fn dump(
        &mut self,
        request: &Request,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<Dump, NetlinkError> {
        let table = request.table;
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = request.encode(self.sequence);
        let sent = self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0);
        bytes.zeroize();
        sent.map_err(|source| NetlinkError::Send { table, source })?;
        let mut answer = Answer { table, sequence: self.sequence, dump: Dump::Whole };
        loop {
            let received = self.receive(table);
            let taken = answer.take_and_wipe(received, &mut self.buffer, &mut each);
            if taken? {
                return Ok(answer.dump);
            }
        }
    }

    /// Reads one datagram into the buffer. False when it did not come from the kernel, and must not be believed.
    fn receive(&mut self, table: &'static str) -> Result<bool, NetlinkError> {
        loop {
            self.buffer.clear();
            match self.socket.recv_from(&mut self.buffer, libc::MSG_TRUNC) {
                // Whoever else may send here could break a dump with what is too long.
                Ok((_, from)) if from.port_number() != 0 => return Ok(false),
                Ok((len, _)) if len > self.buffer.len() => {
                    return Err(NetlinkError::Datagram { table, len });
                }
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(NetlinkError::Receive { table, source }),
            }
        }
    }
}

/// What has been read of one dump.
struct Answer {
    table: &'static str,
    sequence: u32,
    dump: Dump,
}

impl Answer {
    /// Takes what was received, if it is to be believed, and leaves nothing of it in the buffer: the write is one that the
    /// compiler must not leave out. All of the buffer's room would be wiped by `Vec::zeroize`, 256 KiB for each datagram.
    fn take_and_wipe(
        &mut self,
        received: Result<bool, NetlinkError>,
        buffer: &mut Vec<u8>,
        each: &mut impl FnMut(Frame<'_>),
    ) -> Result<bool, NetlinkError> {
        let taken = match received {
            Ok(true) => self.take(buffer, each),
            Ok(false) => Ok(false),
            Err(error) => Err(error),
        };
        buffer.as_mut_slice().zeroize();
        buffer.clear();
        taken
    }

    /// Takes the next datagram. True when the dump is complete.
    fn take(&mut self, datagram: &[u8], each: &mut impl FnMut(Frame<'_>)) -> Result<bool, NetlinkError> {
        let table = self.table;
        for frame in frames(datagram) {
            let Ok(frame) = frame else {
                return Err(NetlinkError::Datagram { table, len: datagram.len() });
            };
            // Left over from a dump that failed half way.
            if frame.sequence != self.sequence {
                continue;
            }
            if i32::from(frame.flags) & libc::NLM_F_DUMP_INTR != 0 {
                self.dump = Dump::Torn;
            }
            match i32::from(frame.kind) {
                libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                    let refused = |source| Err(NetlinkError::Refused { table, source });
                    return refusal(&frame).map_or(Ok(true), refused);
                }
                libc::NLMSG_NOOP => {}
                _ => each(frame),
            }
        }
        Ok(false)
    }
}

/// The error in an `NLMSG_DONE` or `NLMSG_ERROR`: a negative errno in front; zero and an empty payload are none.
fn refusal(frame: &Frame<'_>) -> Option<io::Error> {
    let code = i32::from_ne_bytes(frame.payload.first_chunk().copied()?);
    (code < 0).then(|| io::Error::from_raw_os_error(code.saturating_neg()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::testdata::{DUMPS, WIREGUARD};

    /// The captured dump of the routes, which was the third request of its socket.
    fn routes() -> Vec<u8> {
        let (_, bytes) = DUMPS.into_iter().find(|(table, _)| *table == "routes4").unwrap();
        bytes.to_vec()
    }

    fn take(sequence: u32, datagram: &[u8]) -> (Result<bool, NetlinkError>, Dump, usize) {
        let mut answer = Answer { table: "routes", sequence, dump: Dump::Whole };
        let mut count = 0;
        let done = answer.take(datagram, &mut |_| count += 1);
        (done, answer.dump, count)
    }

    /// Offset of the closing NLMSG_DONE: its header and an errno.
    fn closing(datagram: &[u8]) -> usize {
        datagram.len() - FRAME_HEADER - 4
    }

    #[test]
    fn a_dump_ends_with_done_and_not_before() {
        let bytes = routes();
        assert!(matches!(take(3, &bytes), (Ok(true), Dump::Whole, 9)), "{:?}", take(3, &bytes));
        assert!(matches!(take(3, &bytes[..closing(&bytes)]), (Ok(false), Dump::Whole, 9)));
        assert!(matches!(take(4, &bytes), (Ok(false), Dump::Whole, 0)), "another request's answer");
    }

    #[test]
    fn an_interrupted_dump_is_torn_wherever_the_kernel_says_so() {
        for at in [0, closing(&routes())] {
            let mut bytes = routes();
            bytes[at + 6] |= 0x10; // nlmsg_flags, NLM_F_DUMP_INTR
            assert!(matches!(take(3, &bytes), (Ok(true), Dump::Torn, 9)), "flag at {at}");
        }
    }

    #[test]
    fn an_errno_is_passed_on() {
        for kind in [libc::NLMSG_DONE, libc::NLMSG_ERROR] {
            let mut bytes = routes();
            let at = closing(&bytes);
            bytes[at + 4] = u8::try_from(kind).unwrap();
            bytes[at + FRAME_HEADER..].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
            let (Err(error), _, _) = take(3, &bytes) else { panic!("no error for {kind}") };
            assert_eq!(
                error.to_string(),
                "the kernel refused to list routes: Operation not permitted (os error 1)"
            );
        }
    }

    /// The bytes of all the room that a vector has, used or not.
    fn room(buffer: &Vec<u8>) -> &[u8] {
        // SAFETY: the room was initialised when the vector was made, and is the vector's.
        unsafe { std::slice::from_raw_parts(buffer.as_ptr(), buffer.capacity()) }
    }

    #[test]
    fn nothing_of_an_answer_stays_in_memory() {
        let mut buffer = vec![0; DATAGRAM];
        // Longer ones first.
        for cut in [0, 1, 2000] {
            buffer.clear();
            buffer.extend_from_slice(&WIREGUARD[..WIREGUARD.len() - cut]);
            let mut answer = Answer { table: "peers", sequence: 7, dump: Dump::Whole };
            let mut messages = 0;
            let taken = answer.take_and_wipe(Ok(true), &mut buffer, &mut |_| messages += 1);
            assert_eq!(taken.is_ok(), cut == 0, "{taken:?}");
            assert!(messages > 0 && buffer.is_empty());
            assert!(room(&buffer).iter().all(|&byte| byte == 0), "cut by {cut}");
        }
        // Not even of one that is not believed, or did not fit.
        let lost = || NetlinkError::Datagram { table: "peers", len: 1 };
        for received in [Ok(false), Err(lost())] {
            let mut buffer = WIREGUARD.to_vec();
            let mut answer = Answer { table: "peers", sequence: 7, dump: Dump::Whole };
            let _ = answer.take_and_wipe(received, &mut buffer, &mut |_| panic!("not to be read"));
            assert!(room(&buffer).iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_datagram_cut_in_a_message_is_an_error() {
        let bytes = routes();
        let (result, _, _) = take(3, &bytes[..bytes.len() - 1]);
        assert!(matches!(result, Err(NetlinkError::Datagram { len: 567, .. })), "{result:?}");
    }
}
