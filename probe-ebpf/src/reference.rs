//! Yardsticks for the benchmark: what any TC program costs, and what the least useful counter costs. Never attached.

use aya_ebpf::{macros::classifier, programs::TcContext};

use crate::{
    NEXT,
    maps::{REFERENCE_COUNT, add},
};

/// Nothing.
#[classifier]
pub(crate) fn ovp_ref_empty(_: TcContext) -> i32 {
    NEXT
}

/// One per-CPU counter.
#[classifier]
pub(crate) fn ovp_ref_counter(_: TcContext) -> i32 {
    if let Some(count) = REFERENCE_COUNT.get_ptr_mut(0) {
        // SAFETY: a live per-CPU map value, only this CPU writes it.
        let count = unsafe { &mut *count };
        add!(*count => 1);
    }
    NEXT
}
