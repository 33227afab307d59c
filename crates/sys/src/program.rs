//! The memory of this program's own file.

use std::ffi::c_void;

/// Unmaps the pages of the program's code and constants, for a process that will now wait for long:
/// what it needs again comes back from the page cache by itself, a few pages instead of all that ran
/// since the start.
pub fn release_pages() {
    // SAFETY: the callback has the type that is asked for, and needs no data. The first object it is
    // called for is the program itself.
    unsafe { libc::dl_iterate_phdr(Some(release_segments), std::ptr::null_mut()) };
}

unsafe extern "C" fn release_segments(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut c_void,
) -> i32 {
    // SAFETY: the C library passes a valid description of a loaded object, whose headers stay mapped.
    let (base, headers) = unsafe {
        let info = &*info;
        (info.dlpi_addr, std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
    };
    let page = rustix::param::page_size() as u64;
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let start = (base + header.p_vaddr).next_multiple_of(page);
        let end = (base + header.p_vaddr + header.p_filesz) / page * page;
        if start < end {
            // SAFETY: the range is a part of a segment that cannot be written, so that each of its
            // pages is the file's own and is read from there again when it is touched.
            unsafe {
                libc::madvise(start as *mut c_void, (end - start) as usize, libc::MADV_DONTNEED)
            };
        }
    }
    // The other objects, where there are any, are not this program's.
    1
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_runs_on_without_its_pages() {
        let before = std::fs::read("/proc/self/exe").unwrap().len();
        super::release_pages();
        assert_eq!(std::fs::read("/proc/self/exe").unwrap().len(), before);
    }
}
