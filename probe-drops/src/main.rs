//! The object that is loaded while somebody asks what the kernel drops: one program on the tracepoint `kfree_skb`, which the kernel
//! runs for each packet that it drops. It counts those of the node's overlay: of a few devices of one network namespace, and on the
//! devices below tunnels those that are tunnels'. It changes nothing and keeps nothing but counts and, of the last packet of each
//! kind, its addresses.
//!
//! No layout of the kernel's is built in: user space reads the offsets from the running kernel's type information.
#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_probe_read_kernel, generated::bpf_get_smp_processor_id},
    macros::{map, raw_tracepoint},
    maps::{Array, HashMap, PerCpuArray},
    programs::RawTracePointContext,
};
use probe_drops::{
    Device, DropCount, DropKey, Headers, Offsets,
    layout::{self, BY_DESTINATION, BY_SOURCE, GROUP, IPV6, REASONS, UNDERLAY},
    packet::{self, IP_BYTES, UDP, UDP_BYTES},
};

/// The devices by interface index.
#[map(name = "DEVICES")]
static DEVICES: HashMap<u32, Device> = HashMap::with_max_entries(1024, 0);

/// What makes an outer packet, see [`layout::outer`].
#[map(name = "OUTER")]
static OUTER_PACKETS: HashMap<u32, u32> = HashMap::with_max_entries(256, 0);

/// Counts.
#[map(name = "DROPS")]
static DROPS: HashMap<DropKey, DropCount> = HashMap::with_max_entries(4096, 0);

/// Packets that found no room among the counts.
#[map(name = "UNCOUNTED")]
static UNCOUNTED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Set by user space.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets {
    dev: 0,
    head: 0,
    end: 0,
    mac_header: 0,
    network_header: 0,
    gso_segs: 0,
    ifindex: 0,
    net: 0,
    inum: 0,
    netns: 0,
};

/// Not 0 for a reason that is not counted.
#[map(name = "IGNORED")]
static IGNORED: Array<u32> = Array::with_max_entries(REASONS, 0);

/// `TP_PROTO(struct sk_buff *skb, void *location, enum skb_drop_reason reason, ...)`, include/trace/events/skb.h.
#[raw_tracepoint(tracepoint = "kfree_skb")]
fn ovp_drop(context: RawTracePointContext) -> i32 {
    let reason = context.arg::<u64>(2) as u32;
    // Those with higher numbers are of subsystems.
    if IGNORED.get(reason).copied().unwrap_or(0) == 0 {
        let _ = look(context.arg::<u64>(0), reason);
    }
    0
}

macro_rules! offset {
    ($name:ident) => {{
        // SAFETY: a constant of the loaded object; volatile, so that the compiler does not take the value built in.
        u64::from(unsafe { (&raw const OFFSETS.$name).read_volatile() })
    }};
}

/// What the kernel has at an address; none where nothing is.
#[inline(always)]
fn read<T>(at: u64) -> Option<T> {
    // SAFETY: the helper checks the address, and copies to a value of the size.
    unsafe { bpf_probe_read_kernel(at as *const T) }.ok()
}

#[inline(always)]
fn look(skb: u64, reason: u32) -> Option<()> {
    // Sockets keep other things in that place (`dev_scratch`): what is no address cannot be read, and has no such namespace.
    let dev: u64 = read(skb + offset!(dev))?;
    if dev == 0 {
        return None;
    }
    let ifindex: u32 = read(dev + offset!(ifindex))?;
    // SAFETY: the value is copied before anything can delete it; user space adds and never deletes.
    let device = unsafe { DEVICES.get(ifindex) }.copied()?;
    let net: u64 = read(dev + offset!(net))?;
    let inum: u32 = read(net + offset!(inum))?;
    if u64::from(inum) != offset!(netns) {
        return None;
    }
    let head: u64 = read(skb + offset!(head))?;
    let mut found = DropCount { packets: packets(skb, head), ..DropCount::default() };
    // SAFETY: no arguments, no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let mut key = DropKey { ifindex, reason, flags: 0, outer: 0, cpu };
    ip(skb, head, &mut key, &mut found);
    if device.role == UNDERLAY && key.outer == 0 {
        return None;
    }
    if device.ethernet != 0 {
        mac(skb, head, &mut key, &mut found);
    }
    count(&key, &found);
    Some(())
}

/// Packets on the wire. The segments' number is behind the buffer (`skb_shinfo`).
#[inline(always)]
fn packets(skb: u64, head: u64) -> u64 {
    let end = read::<u32>(skb + offset!(end)).unwrap_or(0);
    match read::<u16>(head + u64::from(end) + offset!(gso_segs)) {
        Some(segments) if segments > 1 => u64::from(segments),
        _ => 1,
    }
}

#[inline(always)]
fn ip(skb: u64, head: u64, key: &mut DropKey, found: &mut DropCount) -> Option<()> {
    let network: u16 = read(skb + offset!(network_header))?;
    let at = head + u64::from(network);
    let headers = Headers::read(&read::<[u8; IP_BYTES]>(at)?)?;
    found.version = headers.version;
    found.protocol = u32::from(headers.protocol);
    found.source = headers.source;
    found.destination = headers.destination;
    if headers.is_group() {
        key.flags |= GROUP;
    }
    if headers.protocol != UDP {
        // SAFETY: as for the devices.
        if unsafe { OUTER_PACKETS.get(layout::outer(headers.protocol, 0)) }.is_some() {
            key.outer = outer(&headers, 0);
        }
        return Some(());
    }
    if !headers.is_first {
        return Some(());
    }
    let udp: [u8; UDP_BYTES] = read(at + u64::from(headers.length))?;
    let [source, destination] = packet::ports(&udp);
    found.port = u32::from(destination);
    // A port that tells by the source is the node's own.
    let port = if names(source, BY_SOURCE) {
        source
    } else if names(destination, BY_DESTINATION) {
        destination
    } else {
        return Some(());
    };
    key.outer = outer(&headers, port);
    found.vni = packet::vni(&udp);
    Some(())
}

/// [`DropKey::outer`] of a packet by this port.
#[inline(always)]
fn outer(headers: &Headers, port: u16) -> u32 {
    let family = if headers.version == 6 { IPV6 } else { 0 };
    layout::outer(headers.protocol, port) | family
}

/// True when a UDP port is a tunnel's, as the source's or as the destination's.
#[inline(always)]
fn names(port: u16, by: u32) -> bool {
    // SAFETY: as for the devices.
    unsafe { OUTER_PACKETS.get(layout::outer(UDP, port)) }.is_some_and(|names| names & by != 0)
}

#[inline(always)]
fn mac(skb: u64, head: u64, key: &mut DropKey, found: &mut DropCount) -> Option<()> {
    const UNSET: u16 = u16::MAX;
    let at: u16 = read(skb + offset!(mac_header))?;
    if at == UNSET {
        return None;
    }
    let [a, b, c, d, e, f] = read::<[u8; 6]>(head + u64::from(at))?;
    found.mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    if a & 1 != 0 {
        key.flags |= GROUP;
    }
    Some(())
}

#[inline(always)]
fn count(key: &DropKey, found: &DropCount) {
    if let Some(known) = DROPS.get_ptr_mut(key) {
        // SAFETY: a live map value that is this CPU's, where a program of a tracepoint does not interrupt itself.
        let known = unsafe { &mut *known };
        let packets = known.packets.wrapping_add(found.packets);
        *known = DropCount { packets, ..*found };
    } else if DROPS.insert(key, found, 0).is_err()
        && let Some(uncounted) = UNCOUNTED.get_ptr_mut(0)
    {
        // SAFETY: likewise.
        unsafe { *uncounted = (*uncounted).wrapping_add(found.packets) };
    }
}

/// Helpers that read the kernel's memory are for programs under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier rejects a program that can get here, so none can.
    loop {}
}
