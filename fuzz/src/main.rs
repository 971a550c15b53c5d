//! libFuzzer's side: runs the target that `OVERLAY_PROBE_FUZZ` names, and limits the memory that an input may take. What a target
//! is, and what must hold, is in `overlay_probe::fuzz`.
#![no_main]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use libfuzzer_sys::fuzz_target;
use overlay_probe::fuzz::{TARGETS, Target};

/// Memory that an input may take, beside what its length allows for. Bounds of the tool are by file and answer: the largest here is
/// that of a tree's values.
const MEMORY: usize = 16 << 20;
/// Bytes of memory for each byte of an input: a value of two bytes becomes a node of a tree, in a list that grows by doubling.
const EACH: usize = 256;

static TARGET: OnceLock<Target> = OnceLock::new();

/// Counts what is allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fuzz_target!(
    init: {
        let name = std::env::var("OVERLAY_PROBE_FUZZ").expect("OVERLAY_PROBE_FUZZ: the target's name");
        let target = TARGETS.into_iter().find(|target| target.name == name).expect("a target of that name");
        TARGET.set(target).expect("set once");
    },
    |data: &[u8]| {
        let before = LIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        (TARGET.get().expect("set").run)(data);
        let taken = PEAK.load(Relaxed) - before;
        assert!(taken <= MEMORY + EACH * data.len(), "{taken} bytes of memory for {} bytes", data.len());
    }
);
