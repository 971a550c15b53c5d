//! Somebody on the way who sees every packet and sends messages about them that are not true, or every answer once more.

use std::{
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use overlay_probe::netns;
use socket2::{Domain, Socket, Type};

use crate::raw;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// What is done about a frame: the frames to send back by the same interface.
type Answers = fn(&[u8]) -> Vec<Vec<u8>>;

/// See the module. It goes on until this is dropped.
pub struct Liar {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Liar {
    /// On an interface of a namespace: about each frame that arrives there, or leaves, it sends what `answers` says.
    pub fn start(netns: &str, interface: &str, answers: Answers) -> Self {
        let namespace = netns::open(netns).unwrap();
        let mut seen = netns::run_in(&namespace, || {
            let to = raw::interface(interface);
            let all = i32::from(u16::try_from(libc::ETH_P_ALL).unwrap().to_be());
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(all.into())).unwrap();
            socket.bind(&to).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            socket
        })
        .unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (ends, counts) = (Arc::clone(&is_over), Arc::clone(&sent));
        let (netns, interface) = (netns.to_owned(), interface.to_owned());
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while !ends.load(Ordering::Relaxed) {
                let Ok(length) = seen.read(&mut buffer) else { continue };
                let frames = answers(&buffer[..length]);
                if !frames.is_empty() {
                    counts.fetch_add(u64::try_from(frames.len()).unwrap(), Ordering::Relaxed);
                    raw::send(&netns, &interface, &frames);
                }
            }
        });
        Self { is_over, sent, thread: Some(thread) }
    }

    /// Frames that it has sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The IP packet in a frame, if it is an echo request or an answer to one with this type of ICMP or ICMPv6.
fn echo(frame: &[u8], v4: u8, v6: u8) -> Option<&[u8]> {
    let packet = frame.get(ETHERNET..)?;
    let is_meant = match packet.first()? >> 4 {
        4 => packet.get(9) == Some(&ICMP) && packet.get(20) == Some(&v4),
        6 => packet.get(6) == Some(&ICMPV6) && packet.get(40) == Some(&v6),
        _ => false,
    };
    is_meant.then_some(packet)
}

/// About each large echo request a flood of "too big" that cannot be true: an MTU of 0, one below what every link takes, one that the
/// packet does not exceed, and one about another's packet.
pub fn lies(frame: &[u8]) -> Vec<Vec<u8>> {
    const EACH: usize = 20;
    let Some(packet) = echo(frame, 8, 128).filter(|packet| packet.len() > 600) else { return Vec::new() };
    let size = u32::try_from(packet.len()).unwrap();
    let mut foreign = packet.to_vec();
    // The last byte of the destination.
    let at = if packet[0] >> 4 == 4 { 19 } else { 39 };
    foreign[at] ^= 0x40;
    let least = if packet[0] >> 4 == 4 { 575 } else { 1279 };
    let each =
        [(0, packet), (least, packet), (size, packet), (size + 100, packet), (1300, foreign.as_slice())];
    let frames = each.into_iter().map(|(mtu, about)| too_big(frame, mtu, about));
    frames.flat_map(|frame| std::iter::repeat_n(frame, EACH)).collect()
}

/// Answers echo requests of up to this size as the peer does, so that the prober hears it twice.
const ANSWERED: usize = 1400;

/// An answer to each echo request that is not large, beside the peer's own.
pub fn repeats(frame: &[u8]) -> Vec<Vec<u8>> {
    let Some(packet) = echo(frame, 8, 128).filter(|packet| packet.len() <= ANSWERED) else {
        return Vec::new();
    };
    let is_v6 = packet[0] >> 4 == 6;
    let (header, addresses, half, kind) = if is_v6 { (40, 8, 16, 129) } else { (20, 12, 4, 0) };
    let mut answer = packet.to_vec();
    answer[addresses..addresses + 2 * half].rotate_left(half);
    answer[header] = kind;
    answer[header + 2..header + 4].fill(0);
    let sum = if is_v6 { checksum_v6(&answer) } else { checksum(&answer[header..]) };
    answer[header + 2..header + 4].copy_from_slice(&sum.to_be_bytes());
    let (to, from) = (frame[6..12].try_into().unwrap(), frame[..6].try_into().unwrap());
    vec![raw::frame(to, from, if is_v6 { 0x86dd } else { 0x0800 }, &answer)]
}

/// As of RFC 791, of any number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut even = bytes.to_vec();
    even.resize(bytes.len().next_multiple_of(2), 0);
    raw::checksum(&even)
}

/// Of an ICMPv6 message in its packet, without extension headers.
fn checksum_v6(packet: &[u8]) -> u16 {
    let mut summed = packet[8..40].to_vec();
    summed.extend(u32::try_from(packet.len() - 40).unwrap().to_be_bytes());
    summed.extend(u32::from(ICMPV6).to_be_bytes());
    summed.extend(&packet[40..]);
    checksum(&summed)
}

/// A frame with "too big" to who sent `frame`.
fn too_big(frame: &[u8], mtu: u32, about: &[u8]) -> Vec<u8> {
    let (to, from): ([u8; 6], [u8; 6]) = (frame[6..12].try_into().unwrap(), frame[..6].try_into().unwrap());
    let packet = &frame[ETHERNET..];
    if packet[0] >> 4 == 4 {
        let mut message = vec![3, 4, 0, 0, 0, 0];
        message.extend(u16::try_from(mtu).unwrap().to_be_bytes());
        message.extend(&about[..28]);
        let sum = raw::checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let (source, own) = (packet[12..16].try_into().unwrap(), packet[16..20].try_into().unwrap());
        return raw::frame(to, from, 0x0800, &raw::ipv4(own, source, ICMP, 0, &message));
    }
    let mut message = vec![2, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(&about[..48]);
    let length = u16::try_from(message.len()).unwrap();
    let mut whole = vec![0x60, 0, 0, 0];
    whole.extend(length.to_be_bytes());
    whole.extend([ICMPV6, 64]);
    whole.extend([&packet[24..40], &packet[8..24]].concat());
    whole.extend(message);
    let sum = checksum_v6(&whole);
    whole[42..44].copy_from_slice(&sum.to_be_bytes());
    raw::frame(to, from, 0x86dd, &whole)
}
