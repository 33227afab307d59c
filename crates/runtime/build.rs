//! Tells the linker where `gantry-runtime` begins.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Named in sys::protect::entry, which says why.
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        println!("cargo::rustc-link-arg-bin=gantry-runtime=-Wl,-e,gantry_protected_entry");
    }
}
