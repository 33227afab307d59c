//! glibc's memory allocator, told to keep little: an engine that idles should cost little more than its code.

/// Bounds the allocator's arenas (by default eight for each CPU, each of which keeps its own free memory) and gives
/// free memory at the top of the heap back early. Call it before threads start.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    for (option, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_TRIM_THRESHOLD, 64 << 10),
        (libc::M_MMAP_THRESHOLD, 64 << 10),
    ] {
        // SAFETY: mallopt takes two integers and fails without effect on values it does not know.
        unsafe { libc::mallopt(option, value) };
    }
}

/// Gives free memory back to the kernel, after work that used much.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim only touches the allocator's own free memory, under its locks.
    unsafe {
        libc::malloc_trim(0)
    };
}
