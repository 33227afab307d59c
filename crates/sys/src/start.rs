//! The start of a program that is started often: the standard library's own asks the kernel for the bounds of the stack,
//! by way of `/proc/self/maps`, to put words to an overflow of it. Without those, an overflow is a plain SIGSEGV.

use std::io::Write;

/// Makes a function that returns the exit status the program, in a crate root that is `no_main`.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        // SAFETY: this is what the C library calls, and only the standard library would define it too.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            $crate::start::run($main).into()
        }
    };
}

/// What the standard library sees to as well: descriptors 0 to 2 are open, so that no file gets one of these numbers; writing
/// into a closed pipe is an error and no signal; output is complete.
pub fn run(main: fn() -> u8) -> u8 {
    for number in 0..=2 {
        // SAFETY: asks whether a number is open, and opens that number, the lowest one that is not.
        unsafe {
            if libc::fcntl(number, libc::F_GETFD) == -1
                && libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) != number
            {
                libc::abort();
            }
        }
    }
    // SAFETY: no handler is set.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let status = main();
    // Nobody is left to be told that nobody listens.
    let _ = std::io::stdout().flush();
    status
}
