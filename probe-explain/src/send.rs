//! The record of a packet: made in a map value, counted by its reasons, sent as often as the limit lets it.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns,
    macros::map,
    maps::{Array, PerCpuArray},
};
use probe_explain::{Reason, ReasonCount, Record, record::RECORDS_PER_SECOND};

use crate::{
    maps::{EVENTS, add},
    skb::Skb,
};

/// The record of the packet that is looked at.
#[map(name = "RECORD")]
static RECORD: PerCpuArray<Record> = PerCpuArray::with_max_entries(1, 0);

/// Counts by reason.
#[map(name = "REASONS")]
static REASONS: PerCpuArray<ReasonCount> = PerCpuArray::with_max_entries(Reason::COUNT, 0);

/// From when on first fragments have been seen, `bpf_ktime_get_ns`; 0 while that is not so.
#[map(name = "TRACKED_SINCE")]
static TRACKED_SINCE: Array<u64> = Array::with_max_entries(1, 0);

/// An empty record.
#[inline(always)]
pub(crate) fn begin(skb: Skb, place: u32, direction: u32) -> Option<&'static mut Record> {
    let record = RECORD.get_ptr_mut(0)?;
    // SAFETY: a live per-CPU map value, only this CPU uses it, and only until the program ends.
    let record = unsafe { &mut *record };
    clear(record);
    record.place = place;
    record.direction = direction;
    record.ifindex = skb.ifindex();
    Some(record)
}

/// Volatile, word by word: the compiler would have a function fill it byte by byte, for the verifier to follow.
#[inline(always)]
fn clear(record: &mut Record) {
    let words = (&raw mut *record).cast::<u64>();
    for word in 0..size_of::<Record>() / 8 {
        // SAFETY: within the live record, which is aligned to 8 and as long as that many words.
        unsafe { words.add(word).write_volatile(0) };
    }
}

/// Gives the record one more reason, which so many packets on the wire have.
#[inline(always)]
pub(crate) fn note(record: &mut Record, reason: Reason, packets: u64) {
    note_index(record, reason.index(), packets);
}

/// The same by the reason's number. A function of its own, so that its code exists once and the verifier knows nothing of
/// the record afterwards.
#[inline(never)]
pub(crate) fn note_index(record: *mut Record, index: u32, packets: u64) {
    // SAFETY: the caller's live record.
    let record = unsafe { &mut *record };
    if record.reasons == 0 {
        record.first = index;
    }
    record.reasons |= 1_u32.wrapping_shl(index);
    if let Some(count) = REASONS.get_ptr_mut(index) {
        // SAFETY: a live per-CPU map value, only this CPU writes it.
        let count = unsafe { &mut *count };
        add!(count.packets => packets);
    }
}

/// Sends a record that has a reason.
#[inline(always)]
pub(crate) fn send(record: &mut Record) {
    if record.reasons != 0 {
        send_it(record);
    }
}

#[inline(never)]
fn send_it(record: *mut Record) {
    const SECOND: u64 = 1_000_000_000;
    // SAFETY: the caller's live record.
    let record = unsafe { &mut *record };
    let Some(count) = REASONS.get_ptr_mut(record.first) else { return };
    // SAFETY: a live per-CPU map value, only this CPU writes it.
    let count = unsafe { &mut *count };
    // SAFETY: no arguments, no preconditions.
    record.at = unsafe { bpf_ktime_get_ns() };
    if record.at.wrapping_sub(count.since) >= SECOND {
        count.since = record.at;
        count.sent = 0;
    }
    if count.sent >= RECORDS_PER_SECOND {
        return;
    }
    add!(count.sent => 1);
    if EVENTS.output::<Record>(&*record, 0).is_err() {
        add!(count.lost => 1);
    }
}

/// True when the first fragments of all datagrams that are on their way now were seen.
#[inline(always)]
pub(crate) fn tracks_fragments() -> bool {
    let since = TRACKED_SINCE.get(0).copied().unwrap_or(0);
    // SAFETY: no arguments, no preconditions.
    since != 0 && unsafe { bpf_ktime_get_ns() } >= since
}
