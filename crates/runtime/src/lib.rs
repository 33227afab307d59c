//! Runs one container: the OCI runtime, and the monitor that stays with it.

pub mod capability;
pub mod cgroup;
pub mod commands;
mod console;
pub mod container;
mod devices;
pub mod error;
mod flags;
pub mod hooks;
pub mod init;
mod keep;
mod launch;
pub mod lsm;
pub mod monitor;
mod mounts;
mod passwd;
pub mod process;
pub mod proxy;
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

/// The option of a bind mount that names a part of its source: `gantry.subpath=a/b` is resolved inside the source,
/// so that nothing which lies there leads out of it. Not of the OCI specification: other runtimes do not know it.
pub const SUBPATH: &str = "gantry.subpath=";

/// The option of a bind mount that has directories as its source, overlaid, top first: one `gantry.lower=DIRECTORY` for
/// each. Read-only without an [`UPPER`]; a [`SUBPATH`] is resolved inside the whole. As little known to other runtimes.
pub const LOWER: &str = "gantry.lower=";

/// With [`LOWER`]: the directory whose `diff` and `work` take what is written; never synced.
pub const UPPER: &str = "gantry.upper=";
