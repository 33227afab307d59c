//! Runs one container: the OCI runtime, and the monitor that stays with it.

pub mod cgroup;
pub mod init;
pub mod monitor;
