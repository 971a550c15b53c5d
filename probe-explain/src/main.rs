//! The object that is loaded while somebody asks why packets are "other": programs that run beside those of `probe-ebpf`,
//! look the same packets up in tables with the same contents, and send a record for what these do not name. They count for
//! nobody.
//!
//! Maps, parsing and access to the socket buffer are the very sources of the counting programs.
#![no_std]
#![no_main]

#[path = "../../probe-ebpf/src/datagram.rs"]
mod datagram;
#[path = "../../probe-ebpf/src/frame.rs"]
#[expect(dead_code, reason = "counting has uses for it, explaining has not")]
mod frame;
#[path = "../../probe-ebpf/src/maps.rs"]
#[expect(dead_code, reason = "the maps of the counts are not used")]
mod maps;
#[path = "../../probe-ebpf/src/recent.rs"]
#[expect(dead_code, reason = "each packet is looked up")]
mod recent;
mod send;
#[path = "../../probe-ebpf/src/skb.rs"]
mod skb;
mod tunnel;
mod underlay;

/// As in the counting programs: the next program decides, on every path.
pub(crate) const NEXT: i32 = -1;

/// As in the counting programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier rejects a program that can get here, so none can.
    loop {}
}
