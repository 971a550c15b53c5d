//! Frames that no protocol made, sent as they are, once or again and again.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::net::if_::if_nametoindex;
use overlay_probe::netns;
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

/// Sends frames by an interface of a namespace, the link header included where the interface has one.
pub fn send(netns: &str, interface: &str, frames: &[Vec<u8>]) {
    let namespace = netns::open(netns).unwrap();
    netns::run_in(&namespace, || {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
        let to = address(if_nametoindex(interface).unwrap());
        for frame in frames {
            // A device that drops what it is given for want of a destination is no error of ours.
            match socket.send_to(frame, &to) {
                Ok(sent) => assert_eq!(sent, frame.len()),
                Err(error) => assert!(is_refused_by_device(&error), "{error}"),
            }
        }
    })
    .unwrap();
}

/// Something that is done again and again, every millisecond, until this is dropped.
pub struct Repeat {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Repeat {
    /// Does it from now on.
    pub fn doing(mut work: impl FnMut() + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                work();
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { is_over, thread: Some(thread) }
    }

    /// Sends a frame by an interface of a namespace.
    pub fn start(netns: &str, interface: &'static str, frame: Vec<u8>) -> Self {
        let (netns, frames) = (netns.to_owned(), [frame]);
        Self::doing(move || send(&netns, interface, &frames))
    }
}

impl Drop for Repeat {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `wg_xmit` gives its reason to the sender.
fn is_refused_by_device(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOKEY | libc::EDESTADDRREQ | libc::EPROTONOSUPPORT | libc::ENOBUFS)
    )
}

/// The address of an interface of this namespace, for packets of every protocol.
pub fn interface(name: &str) -> SockAddr {
    address(if_nametoindex(name).unwrap())
}

fn address(ifindex: u32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the storage is as large as any address.
    let to = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    to.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    to.sll_ifindex = i32::try_from(ifindex).unwrap();
    // SAFETY: filled in as far as the family is used.
    unsafe { SockAddr::new(storage, u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap()) }
}

/// An Ethernet frame.
pub fn frame(to: [u8; 6], from: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [to, from].concat();
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An IPv4 packet without options. `fragment`: flags and offset as in the header.
pub fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0xab, 0xcd]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend([from, to].concat());
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// A UDP datagram without checksum.
pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram: Vec<u8> = [from, to, length, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    datagram.extend(payload);
    datagram
}

/// The checksum of RFC 791, of a header with zero in its place. An even number of bytes.
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}
