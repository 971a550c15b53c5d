//! The programs of VFs on interfaces that every kernel has: what they count, and that they follow an interface nowhere. Real
//! VFs are in `sriov.rs`.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{collections::BTreeMap, ffi::CString, fs, io, mem, os::fd::AsRawFd as _};

use overlay_probe::{
    ebpf::{VfCounters, VfPlace},
    lab::send,
    netns,
    sample::VfCounts,
};
use probe_tests::{kernel::Held, lab::TestNetns, needs, ns, wait_for};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// Two namespaces with a cable between them, `net1` at both ends.
struct Cable {
    ends: [TestNetns; 2],
}

impl Cable {
    /// With these interface indices at the ends.
    fn new(name: &str, indices: [u32; 2]) -> Self {
        let ends = [TestNetns::new(&format!("{name}a")), TestNetns::new(&format!("{name}b"))];
        // No neighbour discovery of IPv6 before the programs count.
        for end in &ends {
            ns(end.name(), "sysctl -q -w net.ipv6.conf.default.disable_ipv6=1");
        }
        ends[0].ip(&format!(
            "link add name net1 index {} type veth peer name net1 index {} netns {}",
            indices[0],
            indices[1],
            ends[1].name()
        ));
        for (end, host) in ends.iter().zip(1..) {
            end.ip(&format!("addr add 192.0.2.{host}/24 dev net1\nlink set net1 up"));
            let features = ["tso", "gso", "gro", "tx-udp-segmentation", "txvlan"].join(" off ");
            ns(end.name(), &format!("ethtool -K net1 {features} off"));
        }
        Self { ends }
    }

    fn place(&self, end: usize, ifindex: u32) -> VfPlace {
        VfPlace { pci: format!("end {end}"), netns: Some(self.ends[end].name().to_owned()), ifindex }
    }

    fn send(&self, network: &str) {
        let [from, to] = [0, 1].map(|end: usize| netns::open(self.ends[end].name()).unwrap());
        let address = format!("{network}.2").parse().unwrap();
        assert_eq!(send::send_udp(&from, &to, address, 200, 700).unwrap(), 200);
        assert_eq!(send::send_tcp(&from, &to, address, 500_000).unwrap(), 500_000);
    }

    /// Sends a frame as it is from the first end.
    fn send_frame(&self, frame: &[u8]) {
        let namespace = netns::open(self.ends[0].name()).unwrap();
        let send = || {
            let socket = Socket::new(Domain::PACKET, Type::RAW, None).unwrap();
            let name = CString::new("net1").unwrap();
            let protocol = u16::from_ne_bytes([frame[12], frame[13]]);
            // SAFETY: integers and arrays of them only, for which zero is a value.
            let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
            to.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
            to.sll_protocol = protocol;
            // SAFETY: a name that ends with a zero byte.
            to.sll_ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) }.cast_signed();
            let size = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap();
            // SAFETY: frame and address are valid for the call and as long as they are said to be.
            let sent = unsafe {
                let to = (&raw const to).cast();
                libc::sendto(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, to, size)
            };
            assert_eq!(usize::try_from(sent), Ok(frame.len()), "{}", io::Error::last_os_error());
        };
        netns::run_in(&namespace, send).unwrap();
    }

    /// What an end's interface counted.
    fn judge(&self, end: usize) -> Value {
        let text = ns(self.ends[end].name(), "ip -j -s link show dev net1");
        serde_json::from_str::<Value>(&text).unwrap()[0]["stats64"].clone()
    }
}

fn read(counters: &mut VfCounters, pci: &str) -> VfCounts {
    counters.read().unwrap().remove(pci).unwrap()
}

fn attach(counters: &mut VfCounters, place: &VfPlace, mtu: u32) {
    assert!(counters.make_room(place.ifindex).unwrap());
    let namespace = netns::open(place.netns.as_ref().unwrap()).unwrap();
    counters.attach(place, "net1", mtu, Some(&namespace)).unwrap();
}

/// Packets and bytes since `before`, of an interface and of a sample: tx, rx.
fn since(now: &Value, before: &Value) -> [u64; 4] {
    [("tx", "packets"), ("tx", "bytes"), ("rx", "packets"), ("rx", "bytes")].map(|(direction, what)| {
        now[direction][what].as_u64().unwrap() - before[direction][what].as_u64().unwrap()
    })
}

fn counted(sample: &VfCounts) -> [u64; 4] {
    let counts = sample.counts;
    [counts.tx.packets, counts.tx.outer_bytes, counts.rx.packets, counts.rx.outer_bytes]
}

#[test]
fn frames_are_counted_as_the_interface_counts_them() {
    needs!(Tcx);
    // The same index at both ends: nothing may be counted for the other.
    let cable = Cable::new("vfc", [50, 50]);
    let mut counters = VfCounters::default();
    let before = [0, 1].map(|end| cable.judge(end));
    for end in [0, 1] {
        attach(&mut counters, &cable.place(end, 50), 1500);
    }
    cable.send("192.0.2");
    // To everybody, tagged, and both.
    for (to, tag) in
        [([0xff; 6], &[][..]), ([2, 0, 0, 0, 0, 9], &[0x81, 0, 0, 7]), ([0xff; 6], &[0x81, 0, 0, 7])]
    {
        let header = [&to[..], &[2, 0, 0, 0, 0, 1], tag, &[0x88, 0xb5]].concat();
        cable.send_frame(&[&header[..], &[0; 100]].concat());
    }
    // Group frames of neighbour discovery and of multicast come when they like.
    let found = wait_for("both to count the same", || {
        let judges = [0, 1].map(|end| since(&cable.judge(end), &before[end]));
        let found = counters.read().unwrap();
        let ours = [0, 1].map(|end| counted(&found[&format!("end {end}")]));
        (ours == judges).then_some(found)
    });
    let (counts, kinds) = (found["end 1"].counts.rx, &found["end 1"].kinds.rx);
    assert!(kinds.udp >= 200 && kinds.tcp >= 500_000 / 1460 && kinds.not_ip >= 3, "{kinds:?}");
    assert_eq!((counts.oversize, counts.packets), (0, kinds.sizes.iter().sum()));
}

#[test]
fn buffers_of_many_segments_are_the_packets_that_they_become() {
    needs!(Tcx);
    let cable = Cable::new("vfg", [50, 51]);
    let mut counters = VfCounters::default();
    // What leaves the first end in one buffer arrives in pieces at the second.
    for feature in ["gso", "tso"] {
        ns(cable.ends[0].name(), &format!("ethtool -K net1 {feature} on"));
    }
    for (end, ifindex) in [(0, 50), (1, 51)] {
        attach(&mut counters, &cable.place(end, ifindex), 1500);
    }
    cable.send("192.0.2");
    wait_for("both ends to count the same", || {
        let found = counters.read().unwrap();
        let [tx, rx] = [found["end 0"].counts.tx, found["end 1"].counts.rx];
        let same = (tx.packets, tx.outer_bytes, tx.oversize) == (rx.packets, rx.outer_bytes, 0);
        (same && tx.packets > 500 && tx.skbs < tx.packets).then_some(())
    });
}

#[test]
fn an_interface_that_goes_elsewhere_begins_anew() {
    needs!(Tcx);
    let cable = Cable::new("vfm", [50, 51]);
    let place = cable.place(0, 50);
    let wanted: BTreeMap<VfPlace, u32> = [(place.clone(), 1500)].into();
    let mut counters = VfCounters::default();
    let links = || Held::by(std::process::id()).links.len();
    attach(&mut counters, &place, 1500);
    cable.send("192.0.2");
    let first = read(&mut counters, "end 0");
    assert!(first.counts.tx.packets > 0);
    counters.keep(&wanted).unwrap();
    assert_eq!((counters.has(&place), links()), (true, 2));

    // The programs are taken off, wherever it is.
    let [a, b] = [0, 1].map(|end: usize| cable.ends[end].name());
    cable.ends[0].ip(&format!("link set net1 netns {b} name other"));
    counters.keep(&BTreeMap::new()).unwrap();
    assert_eq!((counters.has(&place), links()), (false, 0));
    cable.ends[1].ip(&format!("link set other netns {a} name net1"));
    cable.ends[0].ip("addr add 192.0.2.1/24 dev net1\nlink set net1 up");
    attach(&mut counters, &place, 1500);
    let again = read(&mut counters, "end 0");
    assert!(again.since > first.since && again.counts.tx.packets < first.counts.tx.packets, "{again:?}");

    // It goes on when its MTU changes.
    cable.send("192.0.2");
    let before = read(&mut counters, "end 0");
    counters.keep(&[(place.clone(), 600)].into()).unwrap();
    cable.send("192.0.2");
    let after = read(&mut counters, "end 0");
    assert_eq!((after.since, before.counts.tx.oversize), (before.since, 0));
    assert!(
        after.counts.tx.oversize > 400 && after.counts.tx.packets > before.counts.tx.packets,
        "{after:?}"
    );

    // Deleted: there is nothing to read, and nothing to attach to.
    cable.ends[0].ip("link del net1");
    assert!(counters.read().unwrap().is_empty() && counters.has(&place));
    counters.keep(&wanted).unwrap();
    let namespace = netns::open(a).unwrap();
    let error = counters.attach(&place, "net1", 1500, Some(&namespace)).unwrap_err();
    assert!(error.interface_is_gone(), "{error}");
    assert!(counters.is_empty());
}

#[test]
fn many_share_what_is_loaded_and_nothing_of_it_is_left() {
    needs!(Tcx);
    let pods = [TestNetns::new("vfra"), TestNetns::new("vfrb")];
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    let mut counters = VfCounters::default();
    for (pod, first) in pods.iter().zip([100, 200]) {
        for index in first..first + 10 {
            pod.ip(&format!("link add name v{index} index {index} type veth peer name p{index}"));
            attach_to(&mut counters, pod, index);
        }
    }
    assert_eq!((counters.len(), counters.read().unwrap().len()), (20, 20));
    let held = Held::by(std::process::id());
    assert_eq!((held.programs.len(), held.links.len()), (2 * 2, 20 * 2), "16 share what was loaded once");
    assert!(files() - before < 60, "{}", files() - before);
    assert!((1..1 << 20).contains(&counters.map_bytes()), "{}", counters.map_bytes());
    assert_eq!(counters.costs().unwrap().len(), 2);
    // Each of the same index needs programs of its own, and those are not loaded without end.
    let more: Vec<TestNetns> = (0..8).map(|number| TestNetns::new(&format!("vfr{number}"))).collect();
    let mut rooms = Vec::new();
    for pod in &more {
        pod.ip("link add name v100 index 100 type veth peer name p100");
        rooms.push(counters.make_room(100).unwrap());
        if rooms.last() == Some(&true) {
            attach_to(&mut counters, pod, 100);
        }
    }
    assert_eq!(rooms, [true, true, true, true, true, true, true, false]);
    let held = Held::by(std::process::id());
    assert_eq!((held.programs.len(), held.links.len()), (8 * 2, 27 * 2));
    drop(counters);
    wait_for("programs and links to go", || (held.left() == Held::default()).then_some(()));
    assert_eq!(files(), before);
}

fn attach_to(counters: &mut VfCounters, pod: &TestNetns, index: u32) {
    let netns = Some(pod.name().to_owned());
    let place = VfPlace { pci: format!("{}/{index}", pod.name()), netns, ifindex: index };
    attach(counters, &place, 1500);
}
