//! What is said between a process and its helper: one datagram each way, of numbers at fixed places, with a text or bytes behind
//! them and at most two descriptors beside them.

use std::{
    collections::BTreeSet,
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg},
};

use super::SocketKind;

/// Longest datagram.
pub(super) const LONGEST: usize = 64 * 1024;
/// Most descriptors with one.
const DESCRIPTORS: usize = 2;
/// Most that the kernel lets anybody send (`SCM_MAX_FD`): with room for all of them none stays open that nobody knows.
const MOST_SENT: usize = 253;
/// Sequence, kind, two numbers.
const HEADER: usize = 16;
/// Sequence, error number.
const ANSWER_HEADER: usize = 8;
/// Bytes of a namespace's device and inode.
const IDENTITY: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A namespace by the host's root and a path below it: the text, with a zero between.
    Open,
    /// A socket in the namespace beside.
    Socket {
        /// Which.
        kind: SocketKind,
    },
    /// The program beside to be put on an interface in the namespace beside.
    Attach {
        /// Interface index.
        ifindex: u32,
        /// On egress, else on ingress.
        is_egress: bool,
    },
    /// Times of programs.
    Measure,
    /// Sysctls of the namespace beside.
    Sysctls,
    /// Namespaces of processes.
    Held,
    /// Flanneld's lease: the text is the host's root.
    Lease,
    /// What the kernel tells of programs: the text is their numbers.
    Programs,
}

impl What {
    fn has_text(self) -> bool {
        matches!(self, Self::Open | Self::Lease | Self::Programs)
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) what: What,
    pub(super) text: Vec<u8>,
}

impl Request {
    pub(super) fn of(what: What) -> Self {
        Self { what, text: Vec::new() }
    }

    pub(super) fn encode(&self, sequence: u32) -> Vec<u8> {
        let [kind, first, second] = match self.what {
            What::Open => [1, 0, 0],
            What::Socket { kind: SocketKind::Route } => [2, 0, 0],
            What::Socket { kind: SocketKind::Generic } => [2, 1, 0],
            What::Socket { kind: SocketKind::Interfaces } => [2, 2, 0],
            What::Attach { ifindex, is_egress } => [3, ifindex, u32::from(is_egress)],
            What::Measure => [4, 0, 0],
            What::Sysctls => [5, 0, 0],
            What::Held => [6, 0, 0],
            What::Lease => [7, 0, 0],
            What::Programs => [8, 0, 0],
        };
        let mut bytes = numbers(&[sequence, kind, first, second]);
        bytes.extend_from_slice(&self.text);
        bytes
    }

    /// The question, with its sequence; none of what is not one.
    pub(super) fn decode(bytes: &[u8]) -> Option<(u32, Self)> {
        let (header, text) = bytes.split_at_checked(HEADER)?;
        let number = |at: usize| header.get(at * 4..).and_then(|rest| rest.first_chunk()).copied();
        let [sequence, kind, first, second] =
            [number(0)?, number(1)?, number(2)?, number(3)?].map(u32::from_ne_bytes);
        let what = match (kind, first, second) {
            (1, 0, 0) => What::Open,
            (2, 0, 0) => What::Socket { kind: SocketKind::Route },
            (2, 1, 0) => What::Socket { kind: SocketKind::Generic },
            (2, 2, 0) => What::Socket { kind: SocketKind::Interfaces },
            (3, ifindex, egress @ (0 | 1)) => What::Attach { ifindex, is_egress: egress == 1 },
            (4, 0, 0) => What::Measure,
            (5, 0, 0) => What::Sysctls,
            (6, 0, 0) => What::Held,
            (7, 0, 0) => What::Lease,
            (8, 0, 0) => What::Programs,
            _ => return None,
        };
        let is_whole = what.has_text() || text.is_empty();
        is_whole.then(|| (sequence, Self { what, text: text.to_vec() }))
    }
}

/// Numbers as bytes.
pub(super) fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// An answer: bytes, or the number of an error. Bytes that do not fit are an error, too.
pub(super) fn encode_answer(sequence: u32, outcome: &io::Result<Vec<u8>>) -> Vec<u8> {
    let failed = |errno: i32| numbers(&[sequence, errno.cast_unsigned()]);
    match outcome {
        Ok(bytes) if bytes.len() > LONGEST - ANSWER_HEADER => failed(libc::EMSGSIZE),
        Ok(bytes) => [numbers(&[sequence, 0]), bytes.clone()].concat(),
        Err(error) => failed(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// The sequence of an answer, and what it says; none of what is not one.
pub(super) fn decode_answer(bytes: &[u8]) -> Option<(u32, io::Result<&[u8]>)> {
    let (sequence, rest) = bytes.split_first_chunk()?;
    let (errno, rest) = rest.split_first_chunk()?;
    let outcome = match i32::from_ne_bytes(*errno) {
        0 => Ok(rest),
        errno => Err(io::Error::from_raw_os_error(errno)),
    };
    Some((u32::from_ne_bytes(*sequence), outcome))
}

/// Namespaces as bytes, as many as fit.
pub(super) fn encode_identities(identities: &BTreeSet<(u64, u64)>) -> Vec<u8> {
    let most = (LONGEST - ANSWER_HEADER) / IDENTITY;
    let bytes = identities.iter().take(most).flat_map(|(device, inode)| [*device, *inode]);
    bytes.flat_map(u64::to_ne_bytes).collect()
}

/// See above.
pub(super) fn identities(bytes: &[u8]) -> BTreeSet<(u64, u64)> {
    let (pairs, _) = bytes.as_chunks::<IDENTITY>();
    let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    pairs
        .iter()
        .map(|pair| pair.split_at(IDENTITY / 2))
        .map(|(device, inode)| (number(device), number(inode)))
        .collect()
}

/// Sends a datagram with descriptors.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let beside = [ControlMessage::ScmRights(&numbers)];
    let beside = if numbers.is_empty() { &[][..] } else { &beside[..] };
    sendmsg::<UnixAddr>(socket.as_raw_fd(), &[IoSlice::new(bytes)], beside, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Waits for a datagram: its length in the buffer, 0 when the other end is closed, and its descriptors. One that does not fit is
/// an error, `EMSGSIZE`.
pub(super) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = cmsg_space!([RawFd; MOST_SENT]);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags) {
            Err(Errno::EINTR) => {}
            message => break message?,
        }
    };
    let mut descriptors = Vec::new();
    for beside in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = beside {
            // SAFETY: the kernel made these descriptors for this message, and nobody else knows them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    if message.flags.contains(MsgFlags::MSG_TRUNC) || descriptors.len() > DESCRIPTORS {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok((message.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_is_understood() {
        for what in [
            What::Open,
            What::Socket { kind: SocketKind::Route },
            What::Socket { kind: SocketKind::Generic },
            What::Socket { kind: SocketKind::Interfaces },
            What::Attach { ifindex: u32::MAX, is_egress: true },
            What::Measure,
            What::Sysctls,
            What::Held,
            What::Lease,
            What::Programs,
        ] {
            let request = Request { what, text: if what.has_text() { b"/\0x".to_vec() } else { vec![] } };
            assert_eq!(Request::decode(&request.encode(7)), Some((7, request)));
        }
        let long = Request { what: What::Measure, text: vec![0] };
        assert_eq!(Request::decode(&long.encode(1)), None);
    }

    #[test]
    fn answers() {
        let answer = encode_answer(3, &Ok(b"x".to_vec()));
        let (sequence, outcome) = decode_answer(&answer).unwrap();
        assert_eq!((sequence, outcome.unwrap()), (3, &b"x"[..]));
        let refused = encode_answer(4, &Err(io::Error::from_raw_os_error(libc::EPERM)));
        let (sequence, outcome) = decode_answer(&refused).unwrap();
        assert_eq!((sequence, outcome.unwrap_err().raw_os_error()), (4, Some(libc::EPERM)));
        let long = encode_answer(5, &Ok(vec![0; LONGEST]));
        assert_eq!(decode_answer(&long).unwrap().1.unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
        let held = BTreeSet::from([(1, 2), (u64::MAX, 0)]);
        assert_eq!(identities(&encode_identities(&held)), held);
        let many = (0..100_000).map(|n| (n, n)).collect();
        assert!(encode_answer(6, &Ok(encode_identities(&many))).len() <= LONGEST);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (a, b) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let mut buffer = [0; 8];
        send(a.as_fd(), b"x", &[a.as_fd(), b.as_fd()]).unwrap();
        assert_eq!(receive(b.as_fd(), &mut buffer).unwrap().1.len(), 2);
        send(a.as_fd(), b"x", &[a.as_fd(), b.as_fd(), a.as_fd(), b.as_fd()]).unwrap();
        assert_eq!(receive(b.as_fd(), &mut buffer).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
        send(a.as_fd(), b"much too long", &[]).unwrap();
        assert_eq!(receive(b.as_fd(), &mut buffer).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
        drop(a);
        // The end is seen: no copy of what was sent is open.
        assert_eq!(receive(b.as_fd(), &mut buffer).unwrap().0, 0);
    }

    proptest! {
        /// Whatever comes, it is a question that is asked in the same bytes, or none.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0_u32..10) {
            let mut bytes = bytes;
            if let Some(place) = bytes.get_mut(4..8) {
                place.copy_from_slice(&kind.to_ne_bytes());
            }
            if let Some((sequence, request)) = Request::decode(&bytes) {
                prop_assert_eq!(&request.encode(sequence), &bytes);
            }
            let _ = decode_answer(&bytes);
        }
    }
}
