//! Socket options and messages with what the kernel says beside them, for which there is no safe wrapper.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd as _},
    time::{Duration, SystemTime},
};

use socket2::{SockAddr, Socket};

use super::{IP_RECVFRAGSIZE, IPV6_RECVFRAGSIZE};

/// Room for control messages: a number and a time.
const CONTROL: usize = 128;

/// No message waits longer to be read while its clock is right.
const LONGEST: Duration = Duration::from_secs(1);

/// What was received.
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) from: IpAddr,
    /// Bytes of the largest fragment that it came in; none when it came in one piece.
    pub(super) fragment: Option<u32>,
    /// For how long it has waited to be read; zero where the kernel does not say.
    pub(super) age: Duration,
}

/// Memory for control messages, aligned as their headers have to be.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Reads one message without waiting.
pub(super) fn receive<'a>(socket: &Socket, buffer: &'a mut [u8]) -> io::Result<Message<'a>> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let (mut fragment, mut came) = (None, None);
    // SAFETY: the address that is filled in is valid storage of the length that is given; all of `header` is set before the
    // kernel looks at it, and what it points to lives as long as the call.
    let ((), from) = unsafe {
        SockAddr::try_init(|storage, length| {
            let mut header: libc::msghdr = std::mem::zeroed();
            header.msg_name = storage.cast();
            header.msg_namelen = *length;
            header.msg_iov = &raw mut part;
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut control).cast();
            header.msg_controllen = CONTROL as _;
            let read = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT);
            let read = usize::try_from(read).map_err(|_negative| io::Error::last_os_error())?;
            part.iov_len = read;
            *length = header.msg_namelen;
            (fragment, came) = said_beside(&header);
            Ok(())
        })
    }?;
    let bytes = buffer.get(..part.iov_len).unwrap_or_default();
    let from = from.as_socket().map(|from| from.ip());
    let from = from.ok_or_else(|| io::Error::other("the kernel does not say who a message is from"))?;
    // A clock that was set meanwhile says nothing.
    let age = came.and_then(|came| SystemTime::now().duration_since(came).ok());
    let age = age.filter(|age| *age < LONGEST).unwrap_or_default();
    Ok(Message { bytes, from, fragment, age })
}

/// `IP_RECVFRAGSIZE` or `IPV6_RECVFRAGSIZE` and `SO_TIMESTAMPNS` among the control messages: bytes of the largest fragment, and when the
/// kernel received it.
///
/// # Safety
///
/// `header` is as recvmsg(2) has left it, and its control messages are still there.
unsafe fn said_beside(header: &libc::msghdr) -> (Option<u32>, Option<SystemTime>) {
    let (mut fragment, mut came) = (None, None);
    // SAFETY: the macros stay within `msg_control`, which the kernel has filled up to `msg_controllen`; it writes whole values of the
    // types that are read.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = next.as_ref() {
            match (message.cmsg_level, message.cmsg_type) {
                (libc::IPPROTO_IP, IP_RECVFRAGSIZE) | (libc::IPPROTO_IPV6, IPV6_RECVFRAGSIZE) => {
                    let value = libc::CMSG_DATA(next).cast::<libc::c_int>().read_unaligned();
                    fragment = u32::try_from(value).ok().filter(|size| *size > 0);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    came = time_of(libc::CMSG_DATA(next).cast::<libc::timespec>().read_unaligned());
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
    (fragment, came)
}

fn time_of(time: libc::timespec) -> Option<SystemTime> {
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

/// Has the kernel say when a message came.
pub(super) fn ask_when(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)
}

/// setsockopt(2) with a number or numbers.
pub(super) fn set_option<T: Copy>(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the value is there for the length that is given, and the kernel only reads it.
    let result = unsafe { libc::setsockopt(fd, level, option, std::ptr::from_ref(value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the kernel drop everything that would be put into the socket's buffer.
pub(super) fn take_nothing(socket: &impl AsFd) -> io::Result<()> {
    /// `BPF_RET | BPF_K` with 0 bytes to keep (linux/filter.h).
    const DROP: libc::sock_filter = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let mut program = [DROP];
    let program = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Has the kernel put into the socket's buffer only what is for one of these ports: of IPv4 what is filtered begins with the IP header,
/// of IPv6 after it.
pub(super) fn take_ports(socket: &impl AsFd, is_v6: bool, first: u16, count: u16) -> io::Result<()> {
    const fn op(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
        libc::sock_filter { code, jt, jf, k }
    }
    let last = u32::from(first.saturating_add(count.saturating_sub(1)));
    // The destination port is at 2: `ldh [2]`, or `ldxb 4*([0]&0xf); ldh [x + 2]`.
    let mut program =
        if is_v6 { vec![op(0x28, 0, 0, 2)] } else { vec![op(0xb1, 0, 0, 0), op(0x48, 0, 0, 2)] };
    // `jge first, next, drop; jgt last, drop, take; take: ret all; drop: ret 0`.
    program.extend([
        op(0x35, 0, 2, first.into()),
        op(0x25, 1, 0, last),
        op(0x06, 0, 0, u32::MAX),
        op(0x06, 0, 0, 0),
    ]);
    let length = u16::try_from(program.len()).unwrap_or_default();
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// getsockopt(2) of a number.
pub(super) fn option(socket: &impl AsFd, level: libc::c_int, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(0);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the value.
    let result = unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &raw mut length) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Random bytes of the kernel, at most 256.
pub(super) fn random(buffer: &mut [u8]) -> io::Result<()> {
    // SAFETY: the kernel writes at most as many bytes as there are.
    let got = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    match usize::try_from(got) {
        Ok(got) if got == buffer.len() => Ok(()),
        Ok(_) => Err(io::Error::other("the kernel gave fewer than were asked for")),
        Err(_negative) => Err(io::Error::last_os_error()),
    }
}
