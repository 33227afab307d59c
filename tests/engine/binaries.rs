//! What ships is static, and never asks libc to load host libraries.

use std::process::Command;

use testkit::engine::{binary, finish};

const BINARIES: [&str; 3] = ["gantry", "gantryd", "gantry-runtime"];

#[test]
fn the_binaries_need_no_interpreter() {
    for name in BINARIES {
        let headers = finish(Command::new("readelf").arg("-lW").arg(binary(name))).ok();
        assert!(!headers.contains("INTERP"), "{name} is dynamically linked");
    }
}

/// These load the host's NSS libraries into a static program, which may crash it, and in a container's root would
/// run the container's code.
#[test]
fn no_binary_calls_the_name_service_switch() {
    const LOADERS: [&str; 5] =
        ["getaddrinfo", "getpwnam_r", "getpwuid_r", "getgrnam_r", "getgrouplist"];
    for name in BINARIES {
        let symbols = finish(Command::new("nm").arg(binary(name))).ok();
        let defined: Vec<&str> =
            symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert!(defined.len() > 1000, "{name} has symbols to look at");
        for loader in LOADERS {
            assert!(!defined.contains(&loader), "{name} contains {loader}");
        }
    }
}
