//! The socket buffer as the programs see it. Nothing here writes to it.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};
use probe_ebpf::{
    extensions::{self, Extensions, Walk},
    packet::{Packet, Short},
};

use crate::maps::{SCRATCH, forget};

/// What a function keeps where the verifier does not follow it.
#[repr(C)]
pub(crate) struct Scratch {
    /// A result on its way from a function to its caller.
    pub(crate) word: u64,
    walk: Walk,
}

/// A socket buffer.
#[derive(Clone, Copy)]
pub(crate) struct Skb(pub(crate) *mut __sk_buff);

macro_rules! field {
    ($($(#[$doc:meta])* $name:ident),*) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(self) -> u32 {
            // SAFETY: the kernel passes a valid context; the verifier checks the access.
            unsafe { (*self.0).$name }
        }
    )* };
}

impl Skb {
    field!(
        /// Bytes, link header included.
        len,
        /// Interface that the program is attached to.
        ifindex,
        /// Interface that the packet came in by; 0 for the node's own.
        ingress_ifindex,
        /// 1 when a VLAN tag is kept beside the packet.
        vlan_present,
        /// Payload bytes per segment; 0 for a single packet.
        gso_size,
        /// Segments.
        gso_segs
    );

    /// The linear part: direct access, fast, and often all the headers.
    #[inline(always)]
    pub(crate) fn linear(self) -> Linear {
        Linear(self)
    }

    /// The linear part from an offset on that is not known before: what is read there is at offset 0. None when it ends
    /// before.
    #[inline(always)]
    pub(crate) fn linear_from(self, offset: u32) -> Option<LinearFrom> {
        // SAFETY: a live reference; volatile, because the verifier wants a bound that the compiler may know to hold already.
        let bounded = unsafe { (&raw const offset).read_volatile() } & FARTHEST;
        if bounded != offset {
            return None;
        }
        // SAFETY: the kernel passes a valid context; the verifier checks the accesses.
        let (data, end) = unsafe { ((*self.0).data as usize, (*self.0).data_end as usize) };
        let at = data + bounded as usize;
        // SAFETY: a live reference; volatile, so that all is read by way of this one pointer: a check tells the verifier
        // nothing of another with the same value.
        Some(LinearFrom { at: unsafe { (&raw const at).read_volatile() }, end })
    }

    /// All of the packet, by helper call.
    #[inline(always)]
    pub(crate) fn whole(self) -> Whole {
        Whole(self)
    }
}

/// See [`Skb::linear`].
pub(crate) struct Linear(Skb);

/// No header that we read lies further in than this: two tags, an IPv4 header with options or IPv6 with extension
/// headers. Bounds the offset so that the verifier can follow the pointer.
const FARTHEST: u32 = 0x3fff;

impl Linear {
    #[inline(always)]
    fn read<T: Copy>(&self, offset: u32) -> Result<T, Short> {
        if offset > FARTHEST {
            return Err(Short);
        }
        // SAFETY: the kernel passes a valid context; the verifier checks the accesses.
        let (data, end) = unsafe { ((*self.0.0).data as usize, (*self.0.0).data_end as usize) };
        read(data, end, offset)
    }
}

/// What is `offset` behind `data`, which `end` ends.
#[inline(always)]
fn read<T: Copy>(data: usize, end: usize, offset: u32) -> Result<T, Short> {
    let at = data + offset as usize;
    // Two bytes at least: the compiler turns "one byte before the end" into `end > at`, from which the verifier
    // learns nothing (`find_good_pkt_pointers` in kernel/bpf/verifier.c). A header in the last byte is read
    // from the whole packet instead.
    let size = if size_of::<T>() < 2 { 2 } else { size_of::<T>() };
    if at + size > end {
        return Err(Short);
    }
    // SAFETY: between data and data_end, checked above. The kernel allows unaligned packet access where the
    // CPU does (CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS), and rejects the program elsewhere.
    Ok(unsafe { *(at as *const T) })
}

/// See [`Skb::linear_from`].
pub(crate) struct LinearFrom {
    at: usize,
    end: usize,
}

impl LinearFrom {
    #[inline(always)]
    fn read<T: Copy>(&self, offset: u32) -> Result<T, Short> {
        read(self.at, self.end, offset)
    }
}

/// The reads of a view by its `read`.
macro_rules! reads {
    () => {
        #[inline(always)]
        fn u8(&self, offset: u32) -> Result<u8, Short> {
            self.read::<u8>(offset)
        }

        #[inline(always)]
        fn u16(&self, offset: u32) -> Result<u16, Short> {
            self.read::<u16>(offset).map(u16::from_be)
        }

        #[inline(always)]
        fn u32_raw(&self, offset: u32) -> Result<u32, Short> {
            self.read::<u32>(offset)
        }
    };
}

impl Packet for Linear {
    const COMPLETE: bool = false;

    reads!();
}

impl Packet for LinearFrom {
    const COMPLETE: bool = false;

    reads!();
}

/// See [`Skb::whole`].
pub(crate) struct Whole(Skb);

impl Whole {
    #[inline(always)]
    fn read<T: Copy + Default>(&self, offset: u32) -> Result<T, Short> {
        let mut value = T::default();
        // SAFETY: the helper writes size_of::<T>() bytes to a value of that size, or fails.
        let result = unsafe {
            bpf_skb_load_bytes(self.0.0.cast(), offset, (&raw mut value).cast(), size_of::<T>() as u32)
        };
        if result == 0 { Ok(value) } else { Err(Short) }
    }
}

impl Packet for Whole {
    const COMPLETE: bool = true;

    reads!();

    #[inline(always)]
    fn forget(&self, [low, high]: [u32; 2]) -> Result<[u32; 2], Short> {
        let word = forget(u64::from(low) | (u64::from(high) << 32)).ok_or(Short)?;
        Ok([word as u32, (word >> 32) as u32])
    }

    #[inline(always)]
    fn extensions(&self, start: u32, protocol: u8) -> Result<Extensions, Short> {
        match extensions_of(self.0.0, start, u32::from(protocol)) {
            extensions::SHORT => Err(Short),
            word => Ok(Extensions(word)),
        }
    }
}

/// The chain of extension headers. A function of its own, so that its code exists once.
#[inline(never)]
fn extensions_of(skb: *mut __sk_buff, start: u32, protocol: u32) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return extensions::SHORT };
    // SAFETY: a live per-CPU map value, only this CPU uses it, and only until the function ends.
    let scratch = unsafe { &mut *scratch };
    let word = extensions::walk(&Whole(Skb(skb)), start, protocol as u8, &mut scratch.walk);
    // SAFETY: as above; volatile, so that it is really read back: the caller's verification starts afresh.
    unsafe {
        (&raw mut scratch.word).write_volatile(word);
        (&raw const scratch.word).read_volatile()
    }
}
