//! Exact amounts of traffic between two namespaces, for tests and for the load: TCP, UDP, UDP with segmentation.
//!
//! A socket belongs to the namespace of the thread that makes it, wherever it is used afterwards.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::error::LabError;
use crate::netns::{self, Namespace};

/// How long one step of a TCP connection may take: only what is broken takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// A receiver of datagrams looks this often whether it is to go on waiting. It counts looks and not seconds: a machine
/// that has no time for the sender has none for the receiver's looks either, so that a slow one waits longer.
const LOOK: Duration = Duration::from_millis(50);
/// Looks in vain after everything was sent, before the first datagram has come.
const LOOKS_FOR_THE_FIRST: u32 = 200;
/// Looks in vain after everything was sent and something has come.
const LOOKS_FOR_MORE: u32 = 40;
/// Datagrams under way: fewer than the smallest ring or queue on the way holds, such as the 256 descriptors of a VF.
const UNDER_WAY: usize = 64;
/// How long the sender waits for room among them; then it takes them for lost.
const LOST_AFTER: Duration = Duration::from_millis(500);

/// A UDP socket in `namespace`, bound to `port` (0 for any) on every address of the family.
pub fn udp_socket(namespace: &Namespace, ipv6: bool, port: u16) -> io::Result<UdpSocket> {
    inside(namespace, || {
        let socket = Socket::new(domain(ipv6), Type::DGRAM, Some(Protocol::UDP))?;
        // Room for a burst: what a test sends must not be lost in the receiver. Root may go beyond rmem_max.
        if force_receive_buffer(&socket, 64 << 20).is_err() {
            socket.set_recv_buffer_size(4 << 20)?;
        }
        socket.bind(&any(ipv6, port).into())?;
        Ok(socket.into())
    })
}

/// A TCP listener in `namespace` on a port of the kernel's choice.
pub fn tcp_listener(namespace: &Namespace, ipv6: bool) -> io::Result<TcpListener> {
    inside(namespace, || TcpListener::bind(any(ipv6, 0)))
}

/// Has `accept` fail with "would block" when nobody comes for so long (`SO_RCVTIMEO`, `inet_csk_accept`).
pub fn set_accept_timeout(listener: &TcpListener, timeout: Duration) -> io::Result<()> {
    SockRef::from(listener).set_read_timeout(Some(timeout))
}

/// Has a connection be closed by a reset, which leaves nothing behind (`SO_LINGER` of zero).
pub fn close_by_reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// A TCP connection from `namespace`.
pub fn tcp_connect(namespace: &Namespace, to: SocketAddr) -> io::Result<TcpStream> {
    inside(namespace, || TcpStream::connect_timeout(&to, PATIENCE))
}

/// Sends `bytes` over one TCP connection. Returns what arrived. When it returns, both ends have acknowledged everything:
/// nothing of the connection will be sent again.
pub fn send_tcp(from: &Namespace, to: &Namespace, address: IpAddr, bytes: usize) -> Result<usize, LabError> {
    let failed = |operation| move |source| error(operation, from, to, source);
    let listener = tcp_listener(to, address.is_ipv6()).map_err(failed("listen"))?;
    let port = listener.local_addr().map_err(failed("listen"))?.port();
    thread::scope(|scope| {
        let receiver = scope.spawn(move || -> io::Result<usize> {
            let (mut stream, _) = listener.accept()?;
            let total = read_to_end(&mut stream)?;
            close_acknowledged(stream)?;
            Ok(total)
        });
        let mut stream = tcp_connect(from, SocketAddr::new(address, port)).map_err(failed("connect"))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed("send"))?;
        let buffer = vec![0x5a; 1 << 16];
        let mut left = bytes;
        while left > 0 {
            let chunk = buffer.get(..left.min(buffer.len())).unwrap_or(&buffer);
            stream.write_all(chunk).map_err(failed("send"))?;
            left -= chunk.len();
        }
        stream.shutdown(Shutdown::Write).map_err(failed("close"))?;
        // The receiver's own end of the connection.
        read_to_end(&mut stream).map_err(failed("close"))?;
        let received = receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        received.map_err(failed("receive"))
    })
}

fn read_to_end(stream: &mut TcpStream) -> io::Result<usize> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(total),
            n => total += n,
        }
    }
}

/// Closes the end that closes last, and waits until the other has acknowledged that (`SO_LINGER`, `tcp_close` waits while
/// the state is LAST_ACK): an acknowledgement that is late makes the kernel send the FIN once more.
fn close_acknowledged(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(PATIENCE))?;
    drop(stream);
    Ok(())
}

/// Sends `count` datagrams of `payload` bytes. Returns how many arrived.
pub fn send_udp(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    count: usize,
    payload: usize,
) -> Result<usize, LabError> {
    send_datagrams(from, to, address, count, payload, None)
}

/// Sends `count` buffers of `payload` bytes, which the kernel cuts into datagrams of `segment` bytes
/// (`UDP_SEGMENT`, Linux 4.18). Returns how many datagrams arrived.
pub fn send_udp_gso(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    count: usize,
    payload: usize,
    segment: u16,
) -> Result<usize, LabError> {
    send_datagrams(from, to, address, count, payload, Some(segment))
}

fn send_datagrams(
    from: &Namespace,
    to: &Namespace,
    address: IpAddr,
    count: usize,
    payload: usize,
    segment: Option<u16>,
) -> Result<usize, LabError> {
    let failed = |operation| move |source| error(operation, from, to, source);
    let receiver = udp_socket(to, address.is_ipv6(), 0).map_err(failed("receive"))?;
    let port = receiver.local_addr().map_err(failed("receive"))?.port();
    let sender = udp_socket(from, address.is_ipv6(), 0).map_err(failed("send"))?;
    sender.connect(SocketAddr::new(address, port)).map_err(failed("connect"))?;
    if let Some(segment) = segment {
        set_segment(&sender, segment).map_err(failed("ask for segmentation"))?;
    }
    let expected = match segment {
        Some(segment) => count * payload.div_ceil(usize::from(segment)),
        None => count,
    };
    let per_buffer = expected / count.max(1);
    let progress = Progress::default();
    let progress = &progress;
    thread::scope(|scope| {
        let counter = scope.spawn(move || receive(&receiver, expected, progress));
        let buffer = vec![0x5a; payload];
        let mut sent = Ok(());
        for number in 0..count {
            progress.wait_for_room(number * per_buffer);
            sent = sender.send(&buffer).map(drop);
            if sent.is_err() {
                break;
            }
        }
        progress.all_sent();
        let received = counter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        sent.map_err(failed("send"))?;
        received.map_err(failed("receive"))
    })
}

/// What sender and receiver of datagrams know of each other.
#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    arrived: usize,
    /// Datagrams that were sent, did not arrive, and are not waited for any more.
    lost: usize,
    all_sent: bool,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until few of the `sent` datagrams are under way.
    fn wait_for_room(&self, sent: usize) {
        let full = |state: &mut State| sent.saturating_sub(state.arrived + state.lost) >= UNDER_WAY;
        let waited = self.changed.wait_timeout_while(self.lock(), LOST_AFTER, full);
        let (mut state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        if result.timed_out() {
            state.lost = sent.saturating_sub(state.arrived);
        }
    }

    fn arrived(&self) {
        self.lock().arrived += 1;
        self.changed.notify_one();
    }

    fn all_sent(&self) {
        self.lock().all_sent = true;
    }
}

/// Counts what arrives, until all has or nothing more comes.
fn receive(socket: &UdpSocket, expected: usize, progress: &Progress) -> io::Result<usize> {
    socket.set_read_timeout(Some(LOOK))?;
    let mut buffer = vec![0; 1 << 16];
    let (mut received, mut in_vain) = (0, 0);
    while received < expected {
        match socket.recv(&mut buffer) {
            Ok(_) => {
                (received, in_vain) = (received + 1, 0);
                progress.arrived();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                in_vain += u32::from(progress.lock().all_sent);
                if in_vain >= if received > 0 { LOOKS_FOR_MORE } else { LOOKS_FOR_THE_FIRST } {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(received)
}

/// Has the kernel cut every buffer that is sent into datagrams of `segment` bytes.
pub fn set_segment(socket: &UdpSocket, segment: u16) -> io::Result<()> {
    const UDP_SEGMENT: libc::c_int = 103;
    set_option(socket, libc::SOL_UDP, UDP_SEGMENT, libc::c_int::from(segment))
}

fn force_receive_buffer(socket: &Socket, bytes: libc::c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

fn set_option(
    socket: &impl std::os::fd::AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    // SAFETY: the pointer is to an int that lives through the call, and the size is its own.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn inside<T: Send>(namespace: &Namespace, make: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    netns::run_in(namespace, make).map_err(io::Error::other)?
}

fn any(ipv6: bool, port: u16) -> SocketAddr {
    if ipv6 { (Ipv6Addr::UNSPECIFIED, port).into() } else { (Ipv4Addr::UNSPECIFIED, port).into() }
}

fn domain(ipv6: bool) -> Domain {
    if ipv6 { Domain::IPV6 } else { Domain::IPV4 }
}

fn error(operation: &'static str, from: &Namespace, to: &Namespace, source: io::Error) -> LabError {
    LabError::Send { operation, from: from.name().to_owned(), to: to.name().to_owned(), source }
}
