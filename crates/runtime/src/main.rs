//! `gantry-runtime`: the OCI runtime's command line, and the processes that stay beside a container.

#![no_main]

sys::program!(runtime::commands::main);
