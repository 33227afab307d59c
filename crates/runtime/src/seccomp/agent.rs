//! A filter that asks: the agent at `listenerPath` answers for the calls that the rules name.
//!
//! A process that has installed such a filter may be asked about by each call it makes. So it makes one that no rule may
//! name, a `write` of its descriptor's number to its maker, and waits; the maker copies the descriptor out of it, sends
//! that to the agent, and only then lets the process go on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use oci::runtime::{ContainerProcessState, SECCOMP_FD_NAME, Seccomp, State, Status, VERSION};
use rustix::process::{ForeignRawFd, PidfdGetfdFlags};

use super::{Program, compile};
use crate::error::{Context, Error, ErrorKind, Result, describe};

/// How long an agent may leave a connection waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container's filter, and who is asked by it.
#[derive(Clone, Debug)]
pub struct Filter {
    pub(crate) program: Program,
    /// There, where the program notifies.
    agent: Option<Box<Agent>>,
}

#[derive(Clone, Debug)]
struct Agent {
    path: PathBuf,
    metadata: String,
    container: State,
}

/// A process whose filter waits for its agent.
pub(crate) struct Asking<'a> {
    pub(crate) pid: i32,
    pub(crate) pidfd: BorrowedFd<'a>,
    /// The listener, as the process numbers it.
    pub(crate) listener: i32,
    /// The container's first process, and what the container is meanwhile.
    pub(crate) init: i32,
    pub(crate) status: Status,
}

impl Filter {
    /// `container` is told to the agent, with the status and the pid of the time.
    pub(crate) fn new(rules: &Seccomp, container: impl FnOnce() -> State) -> Result<Filter> {
        let program = compile(rules).map_err(|error| Error::invalid(error.to_string()))?;
        let agent = match (program.notifies(), rules.listener_path.is_empty()) {
            (false, _) => None,
            (true, true) => return Err(Error::invalid("listenerPath is not set")),
            (true, false) => Some(Box::new(Agent {
                path: rules.listener_path.clone().into(),
                metadata: rules.listener_metadata.clone(),
                container: container(),
            })),
        };
        Ok(Filter { program, agent })
    }

    /// Sends a process's listener to the agent.
    pub(crate) fn hand_over(&self, asking: &Asking<'_>) -> Result<()> {
        let nobody = || Error::other("seccomp: a listener that nobody asked for");
        let agent = self.agent.as_ref().ok_or_else(nobody)?;
        let listener = listener_of(asking).context(|| "seccomp: take the listener")?;
        let state = ContainerProcessState {
            version: VERSION.to_owned(),
            fds: vec![SECCOMP_FD_NAME.to_owned()],
            pid: asking.pid,
            metadata: agent.metadata.clone(),
            state: State { status: asking.status, pid: asking.init, ..agent.container.clone() },
        };
        agent.send(&state, listener.as_fd())
    }
}

fn listener_of(asking: &Asking<'_>) -> io::Result<OwnedFd> {
    let number = ForeignRawFd::try_from(asking.listener).map_err(io::Error::other)?;
    Ok(rustix::process::pidfd_getfd(asking.pidfd, number, PidfdGetfdFlags::empty())?)
}

impl Agent {
    /// One state for each connection, which is closed after it.
    fn send(&self, state: &ContainerProcessState, listener: BorrowedFd<'_>) -> Result<()> {
        let state = serde_json::to_vec(state)
            .map_err(|error| Error::other(format!("state for the seccomp agent: {error}")))?;
        let socket = sys::socket::connect_stream_within(&self.path, PATIENCE)
            .map_err(|error| self.not_connected(&error))?;
        sys::socket::send(&socket, &state, &[listener])
            .context(|| format!("send the seccomp listener to {}", self.path.display()))
    }

    fn not_connected(&self, error: &io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Other,
        };
        let words = "failed to connect with seccomp agent specified in the seccomp profile";
        let path = self.path.display();
        Error::new(kind, format!("{words}: dial unix {path}: connect: {}", describe(error)))
    }
}

#[cfg(test)]
mod tests {
    use oci::runtime::SeccompSyscall;

    use super::*;

    fn rules(action: &str, listener_path: &str) -> Seccomp {
        let rule = SeccompSyscall {
            names: vec!["mkdir".into()],
            action: action.into(),
            ..SeccompSyscall::default()
        };
        Seccomp {
            default_action: "SCMP_ACT_ALLOW".into(),
            listener_path: listener_path.into(),
            syscalls: vec![rule],
            ..Seccomp::default()
        }
    }

    fn container() -> State {
        State {
            version: VERSION.into(),
            id: "box".into(),
            status: Status::Creating,
            pid: 0,
            bundle: "/bundle".into(),
            annotations: Default::default(),
        }
    }

    #[test]
    fn an_agent_is_needed_where_rules_ask_and_ignored_where_none_does() {
        assert!(
            Filter::new(&rules("SCMP_ACT_NOTIFY", "/agent"), container).unwrap().agent.is_some()
        );
        assert!(
            Filter::new(&rules("SCMP_ACT_ERRNO", "/agent"), container).unwrap().agent.is_none()
        );
        let error = Filter::new(&rules("SCMP_ACT_NOTIFY", ""), container).unwrap_err();
        assert_eq!(error.message, "listenerPath is not set");
    }

    #[test]
    fn what_a_process_without_an_agent_claims_is_refused() {
        let filter = Filter::new(&rules("SCMP_ACT_ERRNO", ""), container).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let asking =
            Asking { pid: 1, pidfd: file.as_fd(), listener: 3, init: 1, status: Status::Creating };
        assert!(filter.hand_over(&asking).is_err());
    }
}
