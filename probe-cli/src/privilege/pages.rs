//! Gives back the pages of the program's code that only the start of a run needed.

use std::ffi::{c_int, c_void};

/// Unmaps the program's code. What runs again is mapped again from the page cache, sixteen pages at a time (`do_fault_around`,
/// mm/memory.c); the command line, loading and verifying programs and the first reading of the node are not among it.
pub fn forget_start() {
    // SAFETY: the callback has the type that dl_iterate_phdr(3) asks for, and takes no data.
    unsafe { libc::dl_iterate_phdr(Some(forget), std::ptr::null_mut()) };
}

/// Called with the program first, and then no more.
unsafe extern "C" fn forget(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the C library gives a valid pointer for the time of the call.
    let Some(info) = (unsafe { info.as_ref() }) else { return 1 };
    // SAFETY: there are so many headers at that address.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers.iter().filter(|header| is_code(header.p_type, header.p_flags)) {
        let (Ok(from), Ok(length)) = (usize::try_from(header.p_vaddr), usize::try_from(header.p_memsz))
        else {
            continue;
        };
        let Some((from, length)) = whole_pages(from, length) else { continue };
        let Some(address) = usize::try_from(info.dlpi_addr).ok().and_then(|base| base.checked_add(from))
        else {
            continue;
        };
        // SAFETY: the pages are code, which nobody writes: they are as in the file (madvise(2)). What cannot be unmapped stays.
        unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(address), length, libc::MADV_DONTNEED) };
    }
    1
}

/// Code, and not data: that may have been written.
fn is_code(kind: u32, flags: u32) -> bool {
    kind == libc::PT_LOAD && flags & libc::PF_X != 0 && flags & libc::PF_W == 0
}

/// The whole pages of a part of memory: where they begin, and their bytes.
fn whole_pages(from: usize, length: usize) -> Option<(usize, usize)> {
    const PAGE: usize = 4096;
    let first = from.checked_next_multiple_of(PAGE)?;
    let end = from.checked_add(length)? / PAGE * PAGE;
    end.checked_sub(first).filter(|length| *length > 0).map(|length| (first, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_anything_else_stay() {
        assert_eq!(whole_pages(0x1000, 0x2000), Some((0x1000, 0x2000)));
        assert_eq!(whole_pages(0x1001, 0x2fff), Some((0x2000, 0x2000)));
        assert_eq!(whole_pages(0x1001, 0x1fff), Some((0x2000, 0x1000)));
        assert_eq!(whole_pages(0x1001, 0xfff), None);
        assert_eq!(whole_pages(usize::MAX, 1), None);
    }

    #[test]
    fn the_program_goes_on() {
        forget_start();
        assert!(is_code(libc::PT_LOAD, libc::PF_R | libc::PF_X));
        assert!(!is_code(libc::PT_LOAD, libc::PF_R | libc::PF_W));
    }
}
