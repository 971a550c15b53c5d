//! Exact amounts of traffic between two namespaces, for tests and for the load: TCP, UDP, UDP with segmentation.
//!
//! A socket belongs to the namespace of the thread that makes it, wherever it is used afterwards.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::error::LabError;
use crate::netns::{self, Namespace};

/// How long a receiver waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits after the first has come and no more does.
const SILENCE: Duration = Duration::from_millis(500);

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

/// A TCP connection from `namespace`.
pub fn tcp_connect(namespace: &Namespace, to: SocketAddr) -> io::Result<TcpStream> {
    inside(namespace, || TcpStream::connect_timeout(&to, PATIENCE))
}

/// Sends `bytes` over one TCP connection. Returns what arrived.
pub fn send_tcp(from: &Namespace, to: &Namespace, address: IpAddr, bytes: usize) -> Result<usize, LabError> {
    let failed = |operation| move |source| error(operation, from, to, source);
    let listener = tcp_listener(to, address.is_ipv6()).map_err(failed("listen"))?;
    let port = listener.local_addr().map_err(failed("listen"))?.port();
    thread::scope(|scope| {
        let receiver = scope.spawn(move || -> io::Result<usize> {
            let (mut stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut buffer = vec![0; 1 << 16];
            let mut total = 0;
            loop {
                match stream.read(&mut buffer)? {
                    0 => return Ok(total),
                    n => total += n,
                }
            }
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
        stream.shutdown(std::net::Shutdown::Write).map_err(failed("close"))?;
        let received = receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        received.map_err(failed("receive"))
    })
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
    thread::scope(|scope| {
        let counter = scope.spawn(move || -> io::Result<usize> {
            let mut buffer = vec![0; 1 << 16];
            let mut received = 0;
            receiver.set_read_timeout(Some(PATIENCE))?;
            while received < expected {
                match receiver.recv(&mut buffer) {
                    Ok(_) => received += 1,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
                if received == 1 {
                    receiver.set_read_timeout(Some(SILENCE))?;
                }
            }
            Ok(received)
        });
        let buffer = vec![0x5a; payload];
        for _ in 0..count {
            sender.send(&buffer).map_err(failed("send"))?;
        }
        let received = counter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        received.map_err(failed("receive"))
    })
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
