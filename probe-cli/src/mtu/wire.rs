//! Sends probes and reads what comes back. Only obeys: what to send, and what an answer means, says the prober.
//!
//! Raw sockets, for two reasons. Whoever writes the IPv4 header can set "don't fragment" with `IP_PMTUDISC_INTERFACE`: the kernel
//! then takes the device's MTU only and looks at no path MTU that it has learned (`ip_sk_use_pmtu`), and what is said about our
//! probes teaches it none (`ip_sk_accept_pmtu`, asked by `ipv4_sk_update_pmtu`). With `IP_PMTUDISC_PROBE`, and on ping sockets,
//! it would learn. And messages come as they were sent: who sends them, with the MTU and what they quote.
//!
//! ICMPv6 "packet too big" about an echo request always teaches the kernel its MTU, whatever the socket is (`icmpv6_err`), as
//! any packet of that size would.

mod message;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::io::{Interest, unix::AsyncFd};

use self::message::{Message, receive, set_option};
use super::{
    classify::{Outcome, Refusal},
    icmp::{self, Key},
    prober::{Command, Input, Prober, Sends},
    search::Kind,
    segment,
};

/// `linux/in.h`, `linux/in6.h`, `linux/icmp.h`, `linux/icmpv6.h`: what libc does not name.
const IP_MTU: libc::c_int = 14;
const IP_RECVFRAGSIZE: libc::c_int = 25;
const IPV6_CHECKSUM: libc::c_int = 7;
const IPV6_MTU: libc::c_int = 24;
const IPV6_RECVFRAGSIZE: libc::c_int = 77;
const PMTUDISC_INTERFACE: libc::c_int = 4;
const SOL_RAW: libc::c_int = 255;
const ICMP_FILTER: libc::c_int = 1;
const ICMPV6_FILTER: libc::c_int = 1;
/// Where the checksum is in a UDP header: the kernel fills it in.
const UDP_CHECKSUM: libc::c_int = 6;
/// Room for answers that come while something else is done.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Messages that are read before probes are sent again: others may send any number of them.
const AT_ONCE: u32 = 256;

/// Why probes cannot be sent.
#[derive(Debug, Error)]
pub enum WireError {
    /// No right to.
    #[error("cannot open a raw socket for echo requests: needs CAP_NET_RAW; run with sudo")]
    Denied,
    /// The kernel did not do.
    #[error("cannot {operation}: {source}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> WireError {
    move |source| {
        if source.kind() == io::ErrorKind::PermissionDenied {
            WireError::Denied
        } else {
            WireError::Failed { operation, source }
        }
    }
}

/// What the kernel sends to an address in one piece now, in the calling thread's network namespace: by the MTU of the device, of
/// the route, and the path MTU that it may have learned. None where it has no route.
pub fn route_mtu(address: IpAddr) -> Option<u32> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    // Nothing is sent: the kernel only looks the route up. The port is discard's.
    socket.connect(SocketAddr::new(address, 9)).ok()?;
    let (level, option) = match address {
        IpAddr::V4(_) => (libc::IPPROTO_IP, IP_MTU),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, IPV6_MTU),
    };
    u32::try_from(message::option(&socket, level, option).ok()?).ok()
}

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// By path, as the targets are given.
    pub outcomes: Vec<Option<Outcome>>,
    /// Messages that were about nothing that is waited for.
    pub strays: u64,
    /// How long it took.
    pub took: Duration,
}

/// The sockets of a run. Opened in the network namespace of the calling thread; no privilege is needed any more then.
#[derive(Debug)]
pub struct Wire {
    v4: Option<AsyncFd<Socket>>,
    v6: Option<AsyncFd<Socket>>,
    /// Only sends.
    v6_datagrams: Option<Socket>,
    /// For flows, where there is more than one.
    v4_segments: Option<AsyncFd<Socket>>,
    v6_segments: Option<AsyncFd<Socket>>,
    /// From which address the kernel sends to one.
    sources: BTreeMap<IpAddr, Ipv4Addr>,
    key: Key,
    buffer: Vec<u8>,
}

impl Wire {
    /// Opens sockets of the families that are wanted, for so many flows to each address. Must be called inside a runtime.
    pub fn open(v4: bool, v6: bool, flows: u16) -> Result<Self, WireError> {
        let key = key(flows)?;
        let has_flows = flows > 1;
        let segments = |is_v6| open_segments(is_v6, key).and_then(register);
        Ok(Self {
            v4_segments: (v4 && has_flows).then(|| segments(false)).transpose()?,
            v6_segments: (v6 && has_flows).then(|| segments(true)).transpose()?,
            sources: BTreeMap::new(),
            v4: v4.then(open_v4).transpose()?.map(register).transpose()?,
            v6: v6.then(open_v6).transpose()?.map(register).transpose()?,
            v6_datagrams: v6.then(open_v6_datagrams).transpose()?,
            key,
            // As large as a packet can be.
            buffer: vec![0; usize::from(u16::MAX)],
        })
    }

    /// Opens sockets for echo requests of both families, or of IPv4 alone where the kernel has no IPv6.
    pub fn open_both() -> Result<Self, WireError> {
        Self::open(true, true, 1).or_else(|error| match error {
            WireError::Denied => Err(error),
            WireError::Failed { .. } => Self::open(true, false, 1),
        })
    }

    /// Another identifier for what is sent from now on: answers to what was sent before are about nothing that is waited for.
    pub fn renew(&mut self) -> Result<(), WireError> {
        self.key = key(self.key.flows)?;
        Ok(())
    }

    /// Sends what the prober says until all is measured.
    pub async fn run(
        mut self,
        mut prober: Prober,
        mut progress: impl FnMut(&Prober),
    ) -> Result<Measured, WireError> {
        let start = Instant::now();
        while self.step(&mut prober, start).await? {
            progress(&prober);
        }
        let strays = prober.strays();
        Ok(Measured { outcomes: prober.outcomes(), strays, took: start.elapsed() })
    }

    /// Sends what is due, waits until something comes or is due, and reads what has come; false when there is nothing more to do.
    /// Times are since `start`. Dropping the future loses nothing.
    pub async fn step(&mut self, sends: &mut impl Sends, start: Instant) -> Result<bool, WireError> {
        loop {
            // What has come by now is read before anything is taken for lost: the machine may have stood still for a while.
            let now = start.elapsed();
            for kind in [Kind::Echo, Kind::Segment] {
                self.read(kind, false, false, sends, start)?;
                self.read(kind, true, false, sends, start)?;
            }
            let Some(command) = sends.next_command(now) else { break };
            if let Err(why) = self.send(command) {
                sends.handle(Input::Refused { probe: command.probe, why }, start.elapsed());
            }
        }
        let Some(wait) = sends.poll_timeout(start.elapsed()) else { return Ok(false) };
        let from = tokio::select! {
            biased;
            () = readable(self.v4.as_ref()) => Some((Kind::Echo, false)),
            () = readable(self.v6.as_ref()) => Some((Kind::Echo, true)),
            () = readable(self.v4_segments.as_ref()) => Some((Kind::Segment, false)),
            () = readable(self.v6_segments.as_ref()) => Some((Kind::Segment, true)),
            () = tokio::time::sleep(wait) => None,
        };
        if let Some((kind, is_v6)) = from {
            self.read(kind, is_v6, true, sends, start)?;
        }
        Ok(true)
    }

    fn send(&mut self, command: Command) -> Result<(), Refusal> {
        let Command { probe, address, flow, kind, size, .. } = command;
        let socket = match (address, kind) {
            (IpAddr::V4(_), Kind::Echo | Kind::Datagram) => self.v4.as_ref().map(AsyncFd::get_ref),
            (IpAddr::V6(_), Kind::Echo) => self.v6.as_ref().map(AsyncFd::get_ref),
            (IpAddr::V6(_), Kind::Datagram) => self.v6_datagrams.as_ref(),
            (IpAddr::V4(_), Kind::Segment) => self.v4_segments.as_ref().map(AsyncFd::get_ref),
            (IpAddr::V6(_), Kind::Segment) => self.v6_segments.as_ref().map(AsyncFd::get_ref),
        };
        let Some(socket) = socket else {
            return Err(Refusal::Other("no socket of this family is open".to_owned()));
        };
        let packet = match kind {
            Kind::Echo => icmp::request(address, self.key, probe, size),
            Kind::Datagram => icmp::datagram(address, self.key, probe, size),
            Kind::Segment => {
                let source = if address.is_ipv4() { Some(source(&mut self.sources, address)?) } else { None };
                segment::segment(source, address, self.key, flow, probe, size)
            }
        };
        match socket.send_to(&packet, &SocketAddr::new(address, 0).into()) {
            Ok(_) => Ok(()),
            // A device or its queue has dropped it (`net_xmit_errno`): it is lost like any other. Of IPv4 the kernel says nothing then
            // (`raw_sendmsg`).
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(()),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// Reads what has come. Who has waited for a socket begins to wait anew once it is empty; who has not asks the kernel itself.
    fn read(
        &mut self,
        kind: Kind,
        is_v6: bool,
        has_waited: bool,
        sends: &mut impl Sends,
        start: Instant,
    ) -> Result<(), WireError> {
        let is_segment = kind == Kind::Segment;
        let socket = match (is_segment, is_v6) {
            (false, false) => &self.v4,
            (false, true) => &self.v6,
            (true, false) => &self.v4_segments,
            (true, true) => &self.v6_segments,
        };
        let Some(socket) = socket else { return Ok(()) };
        for _ in 0..AT_ONCE {
            let read = if has_waited {
                socket.try_io(Interest::READABLE, |socket| receive(socket, &mut self.buffer))
            } else {
                receive(socket.get_ref(), &mut self.buffer)
            };
            let Message { bytes, from, fragment, age } = match read {
                Ok(message) => message,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read from a raw socket")(error)),
            };
            let input = match from {
                IpAddr::V4(_) if is_segment => segment::answer_v4(bytes, self.key),
                IpAddr::V6(_) if is_segment => segment::answer_v6(bytes, from, self.key),
                IpAddr::V4(_) => icmp::answer_v4(bytes, self.key, fragment),
                IpAddr::V6(_) => icmp::answer_v6(bytes, from, self.key, fragment),
            };
            if let Some(input) = input {
                // The machine may have done something else since it came.
                sends.handle(input, start.elapsed().saturating_sub(age));
            }
        }
        Ok(())
    }
}

fn register(socket: Socket) -> Result<AsyncFd<Socket>, WireError> {
    // SAFETY: the descriptor is the socket's, which is given away here and closed when the result is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    registered.map_err(|error| failed("wait for a raw socket")(error.into_parts().1))
}

/// Resolves when there is something to read; never when there is no socket.
async fn readable(socket: Option<&AsyncFd<Socket>>) {
    match socket {
        // An error shows when it is read.
        Some(socket) => drop(socket.readable().await),
        None => std::future::pending().await,
    }
}

/// Why a probe was not sent.
fn refusal(error: &io::Error) -> Refusal {
    match error.raw_os_error() {
        Some(libc::EMSGSIZE) => Refusal::TooBig,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => Refusal::NoRoute,
        Some(libc::EAGAIN | libc::EINTR) => Refusal::Busy,
        _ => Refusal::Other(error.to_string()),
    }
}

fn open_v4() -> Result<Socket, WireError> {
    let socket = Socket::new(Domain::IPV4, Type::RAW.nonblocking().cloexec(), Some(Protocol::ICMPV4))
        .map_err(failed("open a raw socket of IPv4"))?;
    socket.set_header_included_v4(true).map_err(failed("write IPv4 headers"))?;
    let operation = "set up a raw socket of IPv4";
    set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, &PMTUDISC_INTERFACE)
        .map_err(failed(operation))?;
    set_option(&socket, libc::IPPROTO_IP, IP_RECVFRAGSIZE, &1).map_err(failed(operation))?;
    let blocked = !((1_u32 << icmp::ECHO_REPLY) | (1 << icmp::UNREACHABLE));
    set_option(&socket, SOL_RAW, ICMP_FILTER, &blocked).map_err(failed(operation))?;
    message::ask_when(&socket).map_err(failed(operation))?;
    // A smaller one loses answers of a busy run at worst.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}

fn open_v6() -> Result<Socket, WireError> {
    let socket = Socket::new(Domain::IPV6, Type::RAW.nonblocking().cloexec(), Some(Protocol::ICMPV6))
        .map_err(failed("open a raw socket of IPv6"))?;
    let operation = "set up a raw socket of IPv6";
    set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &PMTUDISC_INTERFACE)
        .map_err(failed(operation))?;
    set_option(&socket, libc::IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &1).map_err(failed(operation))?;
    let mut blocked = [u32::MAX; 8];
    for kind in [icmp::UNREACHABLE_V6, icmp::TOO_BIG_V6, icmp::ECHO_REPLY_V6] {
        if let Some(word) = blocked.get_mut(usize::from(kind / 32)) {
            *word &= !(1 << (kind % 32));
        }
    }
    set_option(&socket, libc::IPPROTO_ICMPV6, ICMPV6_FILTER, &blocked).map_err(failed(operation))?;
    message::ask_when(&socket).map_err(failed(operation))?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}

/// Sends datagrams with headers that were written here, and would be given a copy of every datagram that arrives: it takes none.
fn open_v6_datagrams() -> Result<Socket, WireError> {
    let socket = Socket::new(Domain::IPV6, Type::RAW.nonblocking().cloexec(), Some(Protocol::UDP))
        .map_err(failed("open a raw socket of IPv6"))?;
    let operation = "set up a raw socket of IPv6";
    message::take_nothing(&socket).map_err(failed(operation))?;
    set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &PMTUDISC_INTERFACE)
        .map_err(failed(operation))?;
    set_option(&socket, libc::IPPROTO_IPV6, IPV6_CHECKSUM, &UDP_CHECKSUM).map_err(failed(operation))?;
    Ok(socket)
}

/// Sends segments, and takes only what comes to the ports of flows: it would be given a copy of every segment that this node receives.
fn open_segments(is_v6: bool, key: Key) -> Result<Socket, WireError> {
    let operation = "set up a raw socket for TCP";
    let domain = if is_v6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::RAW.nonblocking().cloexec(), Some(Protocol::TCP))
        .map_err(failed("open a raw socket for TCP"))?;
    message::take_ports(&socket, is_v6, segment::first_port(key), key.flows).map_err(failed(operation))?;
    let (level, option) = if is_v6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    } else {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    };
    set_option(&socket, level, option, &PMTUDISC_INTERFACE).map_err(failed(operation))?;
    if is_v6 {
        let at = libc::c_int::try_from(segment::CHECKSUM).unwrap_or_default();
        set_option(&socket, libc::IPPROTO_IPV6, IPV6_CHECKSUM, &at).map_err(failed(operation))?;
    } else {
        socket.set_header_included_v4(true).map_err(failed(operation))?;
    }
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(socket)
}

/// From which address the kernel sends to an address: the checksum of TCP has it in it.
fn source(known: &mut BTreeMap<IpAddr, Ipv4Addr>, to: IpAddr) -> Result<Ipv4Addr, Refusal> {
    if let Some(source) = known.get(&to) {
        return Ok(*source);
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|error| refusal(&error))?;
    // Nothing is sent: the kernel only looks the route up.
    socket.connect((to, 9)).map_err(|error| refusal(&error))?;
    match socket.local_addr().map(|own| own.ip()) {
        Ok(IpAddr::V4(source)) => {
            known.insert(to, source);
            Ok(source)
        }
        Ok(IpAddr::V6(_)) => Err(Refusal::Other("the kernel names a source of another family".to_owned())),
        Err(error) => Err(refusal(&error)),
    }
}

/// Numbers that no other run has, and that nobody guesses who does not see the probes.
fn key(flows: u16) -> Result<Key, WireError> {
    let mut random = [0_u8; 10];
    message::random(&mut random).map_err(failed("get random numbers"))?;
    let [high, low, token @ ..] = random;
    Ok(Key { identifier: u16::from_be_bytes([high, low]), flows, token: u64::from_be_bytes(token) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_the_kernel_refuses() {
        let of = |errno| refusal(&io::Error::from_raw_os_error(errno));
        assert_eq!(of(libc::EMSGSIZE), Refusal::TooBig);
        assert_eq!(of(libc::ENETUNREACH), Refusal::NoRoute);
        assert_eq!(of(libc::EAGAIN), Refusal::Busy);
        assert!(matches!(of(libc::EPERM), Refusal::Other(why) if why.contains("not permitted")));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = failed("open a raw socket of IPv4")(io::Error::from_raw_os_error(libc::EPERM));
        assert!(error.to_string().contains("CAP_NET_RAW; run with sudo"), "{error}");
        let error = failed("open a raw socket of IPv4")(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        assert!(error.to_string().starts_with("cannot open a raw socket of IPv4: "), "{error}");
    }

    #[test]
    fn the_kernel_knows_how_large_packets_to_itself_may_be() {
        // The MTU of the loopback device is larger than IP packets can be.
        assert_eq!(route_mtu(Ipv4Addr::LOCALHOST.into()), Some(65535));
    }
}
