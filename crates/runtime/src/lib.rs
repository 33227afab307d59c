//! Runs one container: the OCI runtime, and the monitor that stays with it.

pub mod capability;
pub mod cgroup;
pub mod commands;
mod console;
pub mod container;
mod devices;
pub mod error;
mod flags;
mod hooks;
pub mod init;
mod launch;
pub mod lsm;
pub mod monitor;
mod mounts;
mod passwd;
pub mod process;
mod rootfs;
mod scheduling;
pub mod seccomp;
mod spawn;
mod state;
mod sync;
mod sysctl;
pub mod time;
mod user;
pub mod view;
