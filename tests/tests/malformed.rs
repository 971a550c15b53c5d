//! Packets cut off anywhere and packets with any byte changed, run through the programs themselves: every one passes,
//! and none is counted as what it is not.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use overlay_probe::{
    ebpf::{
        Limits,
        test_run::{Bench, TestPacket},
    },
    inventory::{Inventory, Tunnel, TunnelKind, Underlay},
    observed::Observed,
    sample::Counts,
};
use probe_tests::packets::{ETHERNET, PORT, VNI, inner_packets, outer_packets};

/// The loopback device stands for the tunnel and for what is below: a test run asks only that it exists.
const LO: u32 = 1;

fn bench() -> Bench {
    let tunnel = Tunnel {
        name: "lo".to_owned(),
        ifindex: LO,
        kind: TunnelKind::Vxlan,
        vni: Some(VNI),
        port: Some(PORT),
        local: None,
        // Both families share the port here.
        outer_family: None,
        underlay: Some(Underlay { name: "lo".to_owned(), ifindex: LO, mtu: 1500, l3: false }),
        mtu: 1450,
        more_underlays: vec![],
        mac: None,
        public_key: None,
        addresses: vec![],
        external: false,
        l3: false,
        flood: 1,
        up: true,
        told: Observed::Value(()),
    };
    let inventory = Inventory { tunnels: vec![tunnel], ..Inventory::default() };
    Bench::load(&inventory, Limits::default()).unwrap()
}

/// Everything that the programs count of a tunnel, in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    counts: Counts,
    versions: [u64; 3],
    transports: [u64; 3],
    outer: [u64; 3],
}

impl Seen {
    fn read(bench: &mut Bench, is_tx: bool) -> Self {
        let (counts, kinds) = bench.tunnel(LO).unwrap();
        let outer = bench.outer(LO).unwrap();
        let (counts, kinds, outer) =
            if is_tx { (counts.tx, kinds.tx, outer.tx) } else { (counts.rx, kinds.rx, outer.rx) };
        Self {
            counts,
            versions: [kinds.ipv4, kinds.ipv6, kinds.not_ip],
            transports: [kinds.tcp, kinds.udp, kinds.other_protocol],
            outer: [outer.packets, outer.bytes, outer.fragments],
        }
    }

    fn since(&self, before: &Self) -> Self {
        let less = |now: [u64; 3], before: [u64; 3]| std::array::from_fn(|index| now[index] - before[index]);
        let (now, then) = (&self.counts, &before.counts);
        Self {
            counts: Counts {
                skbs: now.skbs - then.skbs,
                packets: now.packets - then.packets,
                inner_bytes: now.inner_bytes - then.inner_bytes,
                outer_bytes: now.outer_bytes - then.outer_bytes,
                oversize: now.oversize - then.oversize,
                fragments: now.fragments - then.fragments,
            },
            versions: less(self.versions, before.versions),
            transports: less(self.transports, before.transports),
            outer: less(self.outer, before.outer),
        }
    }
}

/// A test run takes no frame without anything in it and, lately, none with less than an IP header where one belongs
/// (`bpf_prog_test_run_skb`). A tag in front hides that from it: those are cut everywhere.
fn is_refusable(bytes: &[u8]) -> bool {
    let needed = match bytes.get(12..ETHERNET) {
        Some([0x08, 0x00]) => 20,
        Some([0x86, 0xdd]) => 40,
        _ => 1,
    };
    bytes.len() < ETHERNET + needed
}

/// Runs a program once on these bytes: it must pass them. What it counted; none when the kernel does not take them.
fn run(bench: &mut Bench, program: &'static str, bytes: &[u8]) -> Option<Seen> {
    let is_tx = program.ends_with("_tx");
    let before = Seen::read(bench, is_tx);
    let packet = TestPacket { bytes, ifindex: LO, ingress_ifindex: 0, gso_size: 0, gso_segs: 0 };
    let Some(outcome) = bench.run(program, packet, 1).unwrap() else {
        assert!(is_refusable(bytes), "the kernel does not take {bytes:02x?}");
        return None;
    };
    assert_eq!(outcome.verdict, -1, "{program} has an opinion on {bytes:02x?}");
    Some(Seen::read(bench, is_tx).since(&before))
}

#[test]
fn inner_packets_of_every_length() {
    let mut bench = bench();
    for program in ["ovp_tunnel_tx", "ovp_tunnel_rx"] {
        for inner in inner_packets() {
            let whole = &inner.packet.0;
            for length in 0..=whole.len() {
                let what = format!("{program}: {length} of {} bytes of {}", whole.len(), inner.name);
                let Some(seen) = run(&mut bench, program, &whole[..length]) else { continue };
                assert_eq!((seen.counts.skbs, seen.counts.packets), (1, 1), "{what}");
                assert_eq!(seen.outer, [0; 3], "{what}");
                // Which of the two a chain of extension headers is that ends early is not said.
                let is_ip = length >= inner.ip && (length >= inner.chain || seen.versions[2] == 0);
                let version = match (is_ip, inner.version) {
                    (true, 4) => [1, 0, 0],
                    (true, _) => [0, 1, 0],
                    (false, _) => [0, 0, 1],
                };
                assert_eq!(seen.versions, version, "{what}");
                assert_eq!(seen.transports.iter().sum::<u64>(), u64::from(is_ip), "{what}");
                // A length in a header that is more than there is, is not believed.
                if length >= inner.link {
                    let bytes = u64::try_from(length - inner.link).unwrap();
                    let tags = u64::try_from(inner.link - ETHERNET).unwrap();
                    assert_eq!(seen.counts.inner_bytes, bytes, "{what}");
                    assert_eq!(seen.counts.outer_bytes, bytes + tags + 50, "{what}");
                }
                assert_eq!(seen.counts.oversize, 0, "{what}");
                if length == whole.len() {
                    assert_eq!(seen.transports, inner.transport, "{what}");
                    assert_eq!(seen.counts.fragments, inner.fragments, "{what}");
                }
            }
        }
    }
}

#[test]
fn outer_packets_of_every_length() {
    let mut bench = bench();
    for program in ["ovp_underlay_tx", "ovp_underlay_rx"] {
        for (name, packet, known_from, fragments) in outer_packets() {
            let link = if name == "one tag" { 18 } else { ETHERNET };
            for length in 0..=packet.0.len() {
                let what = format!("{program}: {length} of {} bytes of {name}", packet.0.len());
                let Some(seen) = run(&mut bench, program, &packet.0[..length]) else { continue };
                let expected = match known_from {
                    Some(from) if length >= from => [1, u64::try_from(length - link).unwrap(), fragments],
                    _ => [0; 3],
                };
                assert_eq!(seen.outer, expected, "{what}");
                assert_eq!(seen.counts, Counts::default(), "nothing is counted on the tunnel: {what}");
            }
        }
    }
}

/// xorshift64: the same mutations in every run, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Changes up to four bytes, mostly in the headers, and sometimes the length.
fn mutated(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        let bound = if random.below(4) == 0 { bytes.len() } else { bytes.len().min(80) };
        let at = random.below(bound);
        bytes[at] = random.octet();
    }
    match random.below(4) {
        0 => bytes.truncate(ETHERNET + 1 + random.below(bytes.len() - ETHERNET)),
        1 => bytes.resize(bytes.len() + random.below(1400), random.octet()),
        _ => {}
    }
    bytes
}

#[test]
fn mutations_pass_and_are_counted_at_most_once() {
    const EACH: usize = 300;
    let mut bench = bench();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut runs = 0;
    for _ in 0..EACH {
        for inner in inner_packets() {
            let bytes = mutated(&inner.packet.0, &mut random);
            for program in ["ovp_tunnel_tx", "ovp_tunnel_rx"] {
                let Some(seen) = run(&mut bench, program, &bytes) else { continue };
                assert_eq!((seen.counts.skbs, seen.counts.packets), (1, 1), "{bytes:02x?}");
                assert_eq!(seen.versions.iter().sum::<u64>(), 1, "{bytes:02x?}");
                let most = u64::try_from(bytes.len() - ETHERNET).unwrap();
                assert!(seen.counts.inner_bytes <= most, "more than there is: {bytes:02x?}");
                assert_eq!(seen.counts.outer_bytes, most + 50, "all of it travels: {bytes:02x?}");
                runs += 1;
            }
        }
        for (_, packet, ..) in outer_packets() {
            let bytes = mutated(&packet.0, &mut random);
            for program in ["ovp_underlay_tx", "ovp_underlay_rx"] {
                let Some(seen) = run(&mut bench, program, &bytes) else { continue };
                let most = u64::try_from(bytes.len() - ETHERNET).unwrap();
                assert!(seen.outer[0] <= 1 && seen.outer[1] <= most, "{:?} of {bytes:02x?}", seen.outer);
                assert_eq!(seen.counts, Counts::default());
                runs += 1;
            }
        }
    }
    let all = EACH * 2 * (inner_packets().len() + outer_packets().len());
    assert!(runs > all * 9 / 10, "the kernel took {runs} of {all}");
}
