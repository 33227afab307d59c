//! The allocator's free memory.

/// Gives what is free back to the kernel: for a process that was busy and will now wait for long.
pub fn release_free() {
    // SAFETY: malloc_trim only unmaps memory that is not allocated.
    unsafe { libc::malloc_trim(0) };
}
