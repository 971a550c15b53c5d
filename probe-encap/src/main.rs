//! The object that is loaded while `bench` looks at a path: one program where buffers enter a tunnel and one where they leave by the device
//! below. They time one buffer in [`EVERY`] and count the times by class. They change nothing and hand every packet on.
#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns,
    macros::{classifier, map},
    maps::PerCpuArray,
    programs::TcContext,
};
use probe_encap::{CLASSES, EVERY, Mark, class};

/// What each CPU is encapsulating.
#[map(name = "MARKS")]
static MARKS: PerCpuArray<Mark> = PerCpuArray::with_max_entries(1, 0);

/// Timed buffers by class.
#[map(name = "TIMES")]
static TIMES: PerCpuArray<u64> = PerCpuArray::with_max_entries(CLASSES, 0);

/// `TCX_NEXT`: the next program decides.
const NEXT: i32 = -1;

/// Where a buffer enters the tunnel.
#[classifier]
fn ovp_encap_begin(context: TcContext) -> i32 {
    // SAFETY: the kernel passes a valid context; the verifier checks the access.
    let hash = unsafe { (*context.skb.skb).hash };
    if let Some(mark) = MARKS.get_ptr_mut(0) {
        // SAFETY: a live map value of this CPU, where no program of a hook for packets interrupts another of one that sends.
        begin(unsafe { &mut *mark }, hash);
    }
    NEXT
}

#[inline(always)]
fn begin(mark: &mut Mark, hash: u32) {
    if mark.hash != 0 {
        mark.unmatched = mark.unmatched.wrapping_add(1);
        mark.hash = 0;
    }
    // One without a hash cannot be told from others. Those of TCP have that of their socket.
    if hash == 0 {
        return;
    }
    mark.seen = mark.seen.wrapping_add(1);
    if mark.seen % EVERY == 0 {
        mark.hash = hash;
        // SAFETY: no arguments, no preconditions. Last, so that it is the tunnel's time and not ours.
        mark.at = unsafe { bpf_ktime_get_ns() };
    }
}

/// Where it leaves by the device below.
#[classifier]
fn ovp_encap_end(context: TcContext) -> i32 {
    // SAFETY: as above.
    let hash = unsafe { (*context.skb.skb).hash };
    if let Some(mark) = MARKS.get_ptr_mut(0) {
        // SAFETY: as above.
        end(unsafe { &mut *mark }, hash);
    }
    NEXT
}

#[inline(always)]
fn end(mark: &mut Mark, hash: u32) {
    // Of a buffer that the kernel has segmented in between the first segment counts.
    if mark.hash == 0 || mark.hash != hash {
        return;
    }
    // SAFETY: no arguments, no preconditions.
    let took = unsafe { bpf_ktime_get_ns() }.wrapping_sub(mark.at);
    mark.hash = 0;
    if let Some(count) = TIMES.get_ptr_mut(class(took)) {
        // SAFETY: a live map value of this CPU, as above.
        unsafe { *count = (*count).wrapping_add(1) };
    }
}

/// Helpers for GPL programs are not used, yet the kernel and distributions ask for a licence; this is the usual one.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier rejects a program that can get here, so none can.
    loop {}
}
