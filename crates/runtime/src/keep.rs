//! `gantry-runtime helper keep`: does nothing, so that the namespaces it is in stay there.

use std::path::Path;

/// Until SIGTERM, or SIGKILL.
pub(crate) fn keep() -> u8 {
    // Whoever started it ends, its session and its folders with it; this goes on.
    let _ = rustix::process::setsid();
    let _ = std::env::set_current_dir(Path::new("/"));
    if sys::signal::block_all().is_err() {
        return 1;
    }
    loop {
        match sys::signal::wait_any() {
            Ok(libc::SIGTERM) => return 0,
            Ok(_) => {}
            Err(_) => return 1,
        }
    }
}
