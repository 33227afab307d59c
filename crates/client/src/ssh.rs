//! Engines behind ssh: each connection is an `ssh` of the user's own, whose other end talks to the engine there.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::host::InvalidHost;

/// `ssh://user@name:port/path`, the path being the engine's socket there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    user: Option<String>,
    name: String,
    port: Option<u16>,
    socket: Option<String>,
}

impl Ssh {
    /// `rest` is what follows `ssh://`.
    pub(crate) fn parse(rest: &str) -> Result<Self, InvalidHost> {
        let invalid = |why| InvalidHost::Ssh(why);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(invalid("plain-text password is not supported"));
        }
        // It becomes part of a command of the other side's shell.
        if !path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@%+=,:".contains(c)) {
            return Err(invalid(
                "the path of the socket has characters other than letters, digits and -_./@%+=,:",
            ));
        }
        let (name, port) = match address.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                (name, Some(port.parse().map_err(|_| invalid("invalid port"))?))
            }
            _ => (address, None),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        // What begins with a dash would be an option of ssh's.
        if name.is_empty() || [Some(name), user].iter().flatten().any(|word| word.starts_with('-'))
        {
            return Err(invalid("no host specified"));
        }
        let socket = Some(path).filter(|path| !matches!(*path, "" | "/")).map(str::to_owned);
        Ok(Self { user: user.map(str::to_owned), name: name.to_owned(), port, socket })
    }

    /// A connection. It ends when the engine or ssh does; ssh itself asks and complains on the terminal.
    pub(crate) fn dial(&self) -> io::Result<UnixStream> {
        let (near, far) = UnixStream::pair()?;
        let far = OwnedFd::from(far);
        let mut ssh = Command::new("ssh");
        ssh.args(self.arguments()).stdin(Stdio::from(far.try_clone()?)).stdout(Stdio::from(far));
        // Ended by the end of its connection; the kernel takes what is left with this process.
        ssh.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(
                "error during connect: exec: \"ssh\": executable file not found in $PATH",
            ),
            _ => error,
        })?;
        near.set_nonblocking(true)?;
        Ok(near)
    }

    fn arguments(&self) -> Vec<String> {
        let mut words = ["-o", "ConnectTimeout=30", "-T"].map(str::to_owned).to_vec();
        if let Some(user) = &self.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        words.extend(["--".to_owned(), self.name.clone(), self.command()]);
        words
    }

    /// For a shell of any kind: Gantry where it is installed there, Docker elsewhere.
    fn command(&self) -> String {
        let host = match &self.socket {
            Some(path) => format!(" --host {}", format_args!("unix://{path}")),
            None => String::new(),
        };
        let dial = |program: &str| format!("exec {program}{host} system dial-stdio");
        let (ours, dockers) = (dial("gantry"), dial("docker"));
        format!("sh -c 'command -v gantry >/dev/null 2>&1 && {ours}; {dockers}'")
    }
}

impl fmt::Display for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.name)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_the_users_own_ssh() {
        let words = |text| Ssh::parse(text).unwrap().arguments();
        assert_eq!(words("box")[3..5], ["--", "box"]);
        assert_eq!(words("me@box:2222")[3..9], ["-l", "me", "-p", "2222", "--", "box"]);
        assert_eq!(
            words("box").last().unwrap(),
            "sh -c 'command -v gantry >/dev/null 2>&1 && exec gantry system dial-stdio; \
             exec docker system dial-stdio'"
        );
        let with_socket = words("box/run/x.sock");
        assert!(with_socket[5].contains("gantry --host unix:///run/x.sock system dial-stdio"));
    }

    #[test]
    fn nothing_becomes_an_option_or_a_second_command() {
        for text in ["", "-oProxyCommand=x", "-l@box", "me:secret@box", "box:port", "box/x?y"] {
            assert!(Ssh::parse(text).is_err(), "{text:?}");
        }
        for path in ["x;reboot", "x y", "$HOME", "'", "`id`", "x\ny"] {
            assert!(Ssh::parse(&format!("box/{path}")).is_err(), "{path:?}");
        }
    }
}
