//! The object that the kernel loads: TC programs for tunnel and underlay devices.
//!
//! Here belongs the list of hooks and what every program returns. One file per hook; packet parsing is in the library.
#![no_std]
#![no_main]

mod datagram;
mod frame;
mod maps;
mod recent;
mod reference;
mod skb;
mod tunnel;
mod underlay;

/// `TCX_NEXT`, which equals `TC_ACT_UNSPEC` (include/uapi/linux/bpf.h, pkt_cls.h): the next program decides. Every
/// path of every program returns this; the probe never has an opinion on a packet.
pub(crate) const NEXT: i32 = -1;

/// Helpers for GPL programs are not used, yet the kernel and distributions ask for a licence; this is the usual one.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier rejects a program that can get here, so none can.
    loop {}
}
