//! A captured dump decoded to what `wg show wg0 dump` said of the same device (`testdata/wireguard.sh`), keys that must
//! not come out of it, and broken ones that must not panic.

use proptest::prelude::*;

use super::*;
use crate::{
    facts::netlink::{Facts, testdata::told},
    netlink::{
        decode::{Frame, family, frames},
        testdata::{WIREGUARD, WIREGUARD_FAMILY},
    },
};

/// The known secrets of the captured device.
const PRIVATE: [u8; 32] = [0x48; 32];
const PRESHARED: [u8; 32] = [0x5a; 32];

fn messages() -> Vec<Frame<'static>> {
    let mut frames: Vec<_> = frames(WIREGUARD).map(Result::unwrap).collect();
    assert_eq!(i32::from(frames.pop().unwrap().kind), libc::NLMSG_DONE);
    assert_eq!(frames.len(), 2, "one peer's allowed IPs go on in a second message");
    frames
}

fn device() -> WireguardFact {
    let mut device = WireguardDevice::new(3);
    for frame in messages() {
        device.take(frame.payload).unwrap();
    }
    let (device, left_out) = device.finish();
    assert_eq!(left_out, 0);
    device
}

fn nets(list: &[IpNet]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn the_family_has_the_number_that_its_messages_have() {
    let answer = frames(WIREGUARD_FAMILY).next().unwrap().unwrap();
    assert_eq!(family(answer.payload), Ok(messages()[0].kind));
    assert!(family(&answer.payload[..8]).is_err());
}

#[test]
fn a_device_with_its_peers() {
    let device = device();
    assert_eq!((device.ifindex, device.listen_port, device.fwmark), (3, 51820, 0x20000));
    // kXeyMnjL8PPRfDbyrMm1XpyF+HsiClOG7DcNZj4g4zc=
    assert_eq!(device.public_key.unwrap().0[..4], [0x91, 0x77, 0xb2, 0x32]);
    let [far, sixth, bare, many] = device.peers.as_slice() else { panic!("{:?}", device.peers.len()) };
    // 7zi0q9FLCpGcvmg59hhbl9MmB77jWcbFPBLMdZeGfVk=
    assert_eq!(far.public_key.0[..4], [0xef, 0x38, 0xb4, 0xab]);
    assert_eq!(far.endpoint, Some("192.0.2.2:51822".parse().unwrap()));
    assert_eq!(nets(&far.allowed_ips), ["10.42.2.0/24", "fd42:0:0:2::/64"]);
    assert_eq!(far.keepalive_s, 25);
    let counters = far.counters;
    assert_eq!(counters.last_handshake.unwrap().as_secs(), 1_795_496_929);
    assert_eq!((counters.rx_bytes, counters.tx_bytes), (380, 420));
    assert_eq!(sixth.endpoint, Some("[2001:db8::3]:51821".parse().unwrap()));
    assert_eq!((sixth.keepalive_s, sixth.counters), (0, crate::facts::netlink::WireguardCounters::default()));
    assert_eq!((bare.endpoint, bare.allowed_ips.len()), (None, 0));
    assert_eq!(many.endpoint.unwrap().port(), 51820);
    assert!(matches!(many.endpoint, Some(SocketAddr::V6(v6)) if v6.scope_id() == 2), "{:?}", many.endpoint);
    let expected: Vec<_> = (1..=200).map(|n| format!("10.43.{n}.0/24")).collect();
    assert_eq!(nets(&many.allowed_ips), expected, "continued in the next message, each once");
}

#[test]
fn counters_come_apart_from_facts() {
    let device = device();
    let mut later = device.clone();
    later.peers[0].counters.rx_bytes += 1;
    assert_ne!(device, later);
    assert_eq!(device.without_counters(), later.without_counters());
    later.peers[0].endpoint = None;
    assert_ne!(device.without_counters(), later.without_counters());
}

/// True when eight bytes of a secret in a row are there, as bytes or as any text that may be made of them.
fn holds(secret: [u8; 32], bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let byte = secret[0];
    let forms = [
        vec![byte.to_string(); 8].join(", "),
        vec![byte.to_string(); 8].join(","),
        format!("{byte:02x}").repeat(8),
        format!("{byte:02X}").repeat(8),
        // base64 of repeated bytes repeats every four characters.
        if byte == 0x48 { "SEhISEhI" } else { "WlpaWlpa" }.to_owned(),
    ];
    bytes.windows(8).any(|window| window == &secret[..8]) || forms.iter().any(|form| text.contains(form))
}

#[test]
fn keys_do_not_leave_the_decoder() {
    for secret in [PRIVATE, PRESHARED] {
        assert!(holds(secret, WIREGUARD), "the kernel does send them");
        assert!(holds(secret, format!("{secret:?}").as_bytes()), "and the search would find them in text");
        assert!(holds(secret, &serde_json::to_vec(&secret).unwrap()));
        // Also while it is being put together, and in the errors of every cut.
        let mut part = WireguardDevice::new(3);
        for frame in messages() {
            part.take(frame.payload).unwrap();
            assert!(!holds(secret, format!("{part:?} {part:#?}").as_bytes()));
            for len in 0..frame.payload.len() {
                if let Err(error) = WireguardDevice::new(3).take(&frame.payload[..len]) {
                    assert!(!holds(secret, format!("{error} {error:?}").as_bytes()));
                }
            }
        }
        let facts = Facts { wireguard: vec![told(device())], ..Facts::default() };
        assert!(!holds(secret, format!("{facts:?} {facts:#?}").as_bytes()));
        assert!(!holds(secret, &serde_json::to_vec(&facts).unwrap()));
        let inventory = crate::inventory::testdata::of_kernel(&facts);
        assert!(!holds(secret, format!("{inventory:?} {inventory:#?}").as_bytes()));
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_never_a_guess() {
    let payload = messages()[0].payload;
    // Another device's answer.
    assert!(matches!(WireguardDevice::new(4).take(payload), Err(DecodeError::Missing { .. })));
    let at = |needle: &[u8]| payload.windows(needle.len()).position(|window| window == needle).unwrap();
    let changed = |at: usize, value: &[u8]| {
        let mut bytes = payload.to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        WireguardDevice::new(3).take(&bytes)
    };
    // A port of three bytes, a prefix of 33 bits, nanoseconds beyond a second, an address family without its size.
    let port = at(&[6, 0, 6, 0]);
    assert!(matches!(changed(port, &[7, 0]), Err(DecodeError::Size { attribute: 6, .. })));
    let mask = at(&[5, 0, 3, 0, 24]);
    assert!(matches!(changed(mask + 4, &[33]), Err(DecodeError::Missing { .. })));
    let handshake = at(&[20, 0, 6, 0]);
    assert!(matches!(changed(handshake + 12, &[0xff; 8]), Err(DecodeError::Size { attribute: 6, .. })));
    let endpoint = at(&[20, 0, 4, 0, 2, 0]);
    assert!(matches!(changed(endpoint + 4, &[10]), Err(DecodeError::Size { attribute: 4, .. })));
    assert_eq!(changed(endpoint + 4, &[77]), Ok(()), "a family that WireGuard has not");
}

/// A peer's attribute with this key and these allowed IPs of /32.
fn peer(key: u32, allowed: std::ops::Range<u32>) -> Vec<u8> {
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
    let mut public = [0; 32];
    public[..4].copy_from_slice(&key.to_be_bytes());
    let nets: Vec<u8> = allowed
        .flat_map(|address| {
            let parts = [
                attribute(WGALLOWEDIP_A_FAMILY, &2_u16.to_ne_bytes()),
                attribute(WGALLOWEDIP_A_IPADDR, &address.to_be_bytes()),
                attribute(WGALLOWEDIP_A_CIDR_MASK, &[32]),
            ];
            attribute(0, &parts.concat())
        })
        .collect();
    let peer = [attribute(WGPEER_A_PUBLIC_KEY, &public), attribute(WGPEER_A_ALLOWEDIPS, &nets)].concat();
    [vec![0; GENERIC_HEADER], attribute(WGDEVICE_A_PEERS, &attribute(0, &peer))].concat()
}

#[test]
fn a_device_without_end_takes_bounded_memory() {
    let mut device = WireguardDevice::new(3);
    let peers = u32::try_from(MAX_PEERS).unwrap() + 7;
    for key in 0..peers {
        device.take(&peer(key, 0..0)).unwrap();
    }
    for turn in 0..300 {
        device.take(&peer(turn % 3, 0..1000)).unwrap();
    }
    let (device, left_out) = device.finish();
    assert_eq!(device.peers.len(), MAX_PEERS);
    let allowed: usize = device.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
    assert_eq!((allowed, left_out), (MAX_ALLOWED_IPS, 7 + 300_000 - MAX_ALLOWED_IPS));
}

proptest! {
    #[test]
    fn no_mutation_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = WIREGUARD.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let mut device = WireguardDevice::new(3);
        for frame in frames(&bytes).flatten() {
            let _ = (device.take(frame.payload), family(frame.payload));
        }
        let (device, _) = device.finish();
        // What is kept came from bytes that were there: 12 of them for the smallest allowed IP.
        let allowed: usize = device.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
        prop_assert!(allowed <= bytes.len() / 12);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = (WireguardDevice::new(3).take(&bytes), family(&bytes));
    }
}
