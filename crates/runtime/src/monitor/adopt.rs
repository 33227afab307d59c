//! How an engine knows a monitor for the one it looks for.
//!
//! A pid alone says nothing: it may have been given to another process since, or the host may have
//! been started anew. A monitor is the process that has the recorded pid and start time, in the boot
//! that was recorded, and that answers on its socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use sys::process::boot_id;

use super::protocol::Connection;

/// `monitor.pid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: i32,
    /// In clock ticks since boot, as in `/proc/<pid>/stat`.
    pub start_time: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Once it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    pub pid: i32,
    pub start_time: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("the host was restarted since the monitor ran")]
    OtherBoot,
    #[error("the monitor, process {0}, is gone")]
    Gone(i32),
    #[error("process {peer} answers on the monitor's socket instead of process {expected}")]
    Impostor { peer: i32, expected: i32 },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

impl Identity {
    /// Of the calling process.
    pub fn of_self(init: Option<Init>) -> io::Result<Identity> {
        Ok(Identity { init, ..Identity::of(std::process::id() as i32)? })
    }

    /// Of a process that is known to be alive.
    pub fn of(pid: i32) -> io::Result<Identity> {
        Ok(Identity { pid, start_time: start_time(pid)?, boot_id: boot_id()?, init: None })
    }

    /// Reads `monitor.pid` in a container's directory.
    pub fn read(directory: &Path) -> io::Result<Identity> {
        Identity::read_file(&directory.join("monitor.pid"))
    }

    pub fn read_file(path: &Path) -> io::Result<Identity> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// Whether that very process is alive.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(self.boot_id == boot_id()? && start_time(self.pid).is_ok_and(|s| s == self.start_time))
    }
}

impl Init {
    pub fn of(pid: i32) -> io::Result<Init> {
        Ok(Init { pid, start_time: start_time(pid)? })
    }

    /// Since its start, however the wall clock was set meanwhile.
    pub fn running_for(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
        let ticks = rustix::param::clock_ticks_per_second();
        let nanoseconds = self.start_time % ticks * 1_000_000_000 / ticks;
        now.saturating_sub(Duration::new(self.start_time / ticks, nanoseconds as u32))
    }
}

/// Connects to the monitor in a container's directory, once it is known to be the recorded one.
pub fn verify(directory: &Path) -> Result<(Identity, Connection), AdoptError> {
    let io = |what: &str| {
        let what = format!("{what} of the monitor in {}", directory.display());
        move |source| AdoptError::Io { what, source }
    };
    let identity = Identity::read(directory).map_err(io("reading the identity"))?;
    if identity.boot_id != boot_id().map_err(io("asking for the boot"))? {
        return Err(AdoptError::OtherBoot);
    }
    if !identity.is_alive().map_err(io("asking for the process"))? {
        return Err(AdoptError::Gone(identity.pid));
    }
    let connection = match Connection::connect(&directory.join("monitor.sock")) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(AdoptError::Gone(identity.pid));
        }
        other => other.map_err(io("connecting to the socket"))?,
    };
    let peer =
        sys::socket::peer_pid(&connection).map_err(io("asking who answers on the socket"))?;
    if peer != identity.pid {
        return Err(AdoptError::Impostor { peer, expected: identity.pid });
    }
    Ok((identity, connection))
}

/// The 22nd field of `/proc/<pid>/stat`. The second is a name in brackets, which may hold any
/// character, so that fields are counted from the last bracket on.
fn start_time(pid: i32) -> io::Result<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat"))?;
    parse_start_time(&stat)
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is malformed")))
}

fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    // A zombie is no longer anybody.
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = b"42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(parse_start_time(stat), Some(987_654));
        let zombie = b"42 (x) Z 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";
        assert_eq!(parse_start_time(zombie), None);
        assert_eq!(parse_start_time(b"nonsense"), None);
    }

    #[test]
    fn a_process_that_just_started_has_run_for_a_moment() {
        let me = Init::of(std::process::id() as i32).unwrap();
        assert!(me.running_for() < Duration::from_secs(3600), "{:?}", me.running_for());
        let next = Init { start_time: u64::MAX, ..me };
        assert_eq!(next.running_for(), Duration::ZERO);
    }

    #[test]
    fn a_pid_of_another_time_or_boot_is_not_the_monitor() {
        let me = Identity::of_self(None).unwrap();
        assert!(me.is_alive().unwrap());
        let reused = Identity { start_time: me.start_time + 1, ..me.clone() };
        assert!(!reused.is_alive().unwrap());
        let rebooted = Identity { boot_id: "other".into(), ..me };
        assert!(!rebooted.is_alive().unwrap());
    }

    #[test]
    fn whoever_else_answers_on_the_socket_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let write = |identity: &Identity| {
            let json = serde_json::to_vec(identity).unwrap();
            std::fs::write(directory.path().join("monitor.pid"), json).unwrap();
        };
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id() as i32;
        let mut identity = Identity::of_self(None).unwrap();
        (identity.pid, identity.start_time) = (pid, start_time(pid).unwrap());
        write(&identity);
        let _listener = sys::socket::listen(&directory.path().join("monitor.sock")).unwrap();
        let error = verify(directory.path()).unwrap_err();
        assert!(matches!(error, AdoptError::Impostor { expected, .. } if expected == pid));

        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(verify(directory.path()).unwrap_err(), AdoptError::Gone(_)));
        identity.boot_id = "other".into();
        write(&identity);
        assert!(matches!(verify(directory.path()).unwrap_err(), AdoptError::OtherBoot));
    }
}
