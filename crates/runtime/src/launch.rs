//! The last steps before a program runs: who it is, what it may do, where it starts.
//!
//! The order matters. Limits and labels need privilege; the bounding set must shrink before the user
//! changes; the working directory is entered as root and again as the user; the seccomp filter comes last, because it
//! forbids what the steps before it need.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci::runtime::{Process, Rlimit};
use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags};
use rustix::process::Resource;
use sys::{credentials, process};

use crate::capability::Sets;
use crate::error::{Context, Error, ErrorKind, Result, describe};
use crate::lsm;
use crate::mounts::proc;
use crate::scheduling;
use crate::seccomp::Filter;
use crate::sync::Channel;

/// Where programs are looked for when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything about a program that is settled before its process exists.
pub(crate) struct Launch<'a> {
    process: &'a Process,
    /// Without any in the configuration, none.
    capabilities: Sets,
    args: Vec<CString>,
    env: Vec<CString>,
    filter: Option<&'a Filter>,
    /// Descriptors from 3 on that the program is to inherit.
    inherited: u32,
}

/// A program that only has to be executed.
pub(crate) struct Loaded<'a> {
    launch: &'a Launch<'a>,
    path: CString,
    env: Vec<CString>,
}

impl<'a> Launch<'a> {
    pub(crate) fn new(
        process: &'a Process,
        filter: Option<&'a Filter>,
        inherited: u32,
    ) -> Result<Self> {
        if process.args.is_empty() {
            return Err(Error::invalid("process args cannot be empty"));
        }
        if !process.cwd.is_absolute() {
            return Err(Error::invalid("Cwd must be an absolute path"));
        }
        Ok(Self {
            process,
            capabilities: process.capabilities.as_ref().map(Sets::new).unwrap_or_default(),
            args: c_strings("argument", &process.args)?,
            env: c_strings("environment", &process.env)?,
            filter,
            inherited,
        })
    }

    pub(crate) fn filter(&self) -> Option<&'a Filter> {
        self.filter
    }

    /// Takes on the program's identity and finds the program. Only executing it is left.
    pub(crate) fn load(&'a self) -> Result<Loaded<'a>> {
        let process = self.process;
        process.rlimits.iter().try_for_each(allow_rlimit)?;
        scheduling::apply(process)?;
        self.set_labels()?;
        if process.no_new_privileges {
            rustix::thread::set_no_new_privs(true).context(|| "set no_new_privs")?;
        }
        rustix::process::umask(Mode::from_raw_mode(process.user.umask.unwrap_or(0o022)));
        let env = self.env_with_home()?;
        let entered = enter_directory(&process.cwd);
        self.change_user()?;
        // A directory on a file system that does not trust root can be entered only as the user.
        if entered.is_err() {
            enter_directory(&process.cwd)?;
        }
        verify_directory()?;
        let path = find_program(&process.args[0], &process.env)?;
        process::cloexec_from(3 + self.inherited).context(|| "close_range")?;
        Ok(Loaded { launch: self, path, env })
    }

    fn set_labels(&self) -> Result<()> {
        let (profile, label) = (&self.process.apparmor_profile, &self.process.selinux_label);
        if profile.is_empty() && label.is_empty() {
            return Ok(());
        }
        let procfs = proc::private()?;
        lsm::set_exec_labels(procfs.as_fd(), profile, label)
            .map_err(|error| Error::other(error.to_string()))
    }

    /// Without a HOME, what the container's passwd says about the user.
    fn env_with_home(&self) -> Result<Vec<CString>> {
        let mut env = self.env.clone();
        if !self.process.env.iter().any(|pair| pair.starts_with("HOME=")) {
            let home = crate::passwd::home_of(self.process.user.uid);
            let pair = format!("HOME={}", home.as_deref().unwrap_or("/"));
            env.extend(c_strings("environment", &[pair])?);
        }
        Ok(env)
    }

    fn change_user(&self) -> Result<()> {
        let user = &self.process.user;
        self.capabilities.apply_bounding()?;
        credentials::keep_capabilities(true).context(|| "keep capabilities")?;
        set_groups(&user.additional_gids)?;
        credentials::set_gid(user.gid).context(|| format!("setgid {}", user.gid))?;
        credentials::set_uid(user.uid).context(|| format!("setuid {}", user.uid))?;
        Ok(())
    }
}

impl Loaded<'_> {
    /// Runs the program; returns only if that fails. `maker` hears of a filter that needs its agent.
    pub(crate) fn exec(&self, maker: &Channel) -> Error {
        let limits = &self.launch.process.rlimits;
        let limited = limits.iter().filter(|limit| is_late(limit)).try_for_each(set_rlimit);
        match limited.and_then(|()| self.drop_privileges(maker)) {
            Err(error) => error,
            Ok(()) => {
                sys::signal::reset_all();
                let error = process::exec(&self.path, &self.launch.args, &self.env);
                exec_error(&self.launch.process.args[0], &error)
            }
        }
    }

    /// A filter without no_new_privs needs privilege to load, so it goes before the capabilities.
    fn drop_privileges(&self, maker: &Channel) -> Result<()> {
        let process = self.launch.process;
        if !process.no_new_privileges {
            restore_effective()?;
            self.install_filter(maker)?;
        }
        self.launch.capabilities.apply()?;
        if process.no_new_privileges { self.install_filter(maker) } else { Ok(()) }
    }

    fn install_filter(&self, maker: &Channel) -> Result<()> {
        let Some(filter) = self.launch.filter else { return Ok(()) };
        let installed = filter.program.install();
        match installed.map_err(|error| Error::other(format!("unable to init {error}")))? {
            None => Ok(()),
            Some(listener) => maker.hand_over(listener.as_raw_fd()),
        }
    }
}

/// After the change of user the kept capabilities are permitted, but not in effect.
fn restore_effective() -> Result<()> {
    let mut held = credentials::capabilities().context(|| "capget")?;
    held.effective = held.permitted;
    credentials::set_capabilities(held).context(|| "capset")
}

fn c_strings(what: &str, strings: &[String]) -> Result<Vec<CString>> {
    strings
        .iter()
        .map(|s| {
            CString::new(s.as_str())
                .map_err(|_| Error::invalid(format!("invalid {what}: contains a NUL byte: {s:?}")))
        })
        .collect()
}

/// Where setgroups is denied (an ordinary user's namespace), nothing to add is no error.
fn set_groups(groups: &[u32]) -> Result<()> {
    match credentials::set_groups(groups) {
        Err(error) if groups.is_empty() && error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        result => result.context(|| "setgroups"),
    }
}

/// The steps before the program need descriptors of their own.
fn is_late(limit: &Rlimit) -> bool {
    limit.kind == "RLIMIT_NOFILE"
}

/// What needs privilege of a limit: all of it, or of a late one that it is no less than it will be.
fn allow_rlimit(limit: &Rlimit) -> Result<()> {
    if !is_late(limit) {
        return set_rlimit(limit);
    }
    let now = rustix::process::getrlimit(Resource::Nofile);
    let number = |value: Option<u64>| value.unwrap_or(u64::MAX);
    let (soft, hard) = (number(now.current).max(limit.soft), number(now.maximum).max(limit.hard));
    set_rlimit(&Rlimit { soft: soft.min(hard), hard, ..limit.clone() })
}

fn set_rlimit(limit: &Rlimit) -> Result<()> {
    let resource = resource(limit)?;
    let value = |number| (number != u64::MAX).then_some(number);
    let new = rustix::process::Rlimit { current: value(limit.soft), maximum: value(limit.hard) };
    rustix::process::setrlimit(resource, new)
        .context(|| format!("error setting rlimit type {}", limit.kind))
}

fn resource(limit: &Rlimit) -> Result<Resource> {
    Ok(match limit.kind.as_str() {
        "RLIMIT_CPU" => Resource::Cpu,
        "RLIMIT_FSIZE" => Resource::Fsize,
        "RLIMIT_DATA" => Resource::Data,
        "RLIMIT_STACK" => Resource::Stack,
        "RLIMIT_CORE" => Resource::Core,
        "RLIMIT_RSS" => Resource::Rss,
        "RLIMIT_NPROC" => Resource::Nproc,
        "RLIMIT_NOFILE" => Resource::Nofile,
        "RLIMIT_MEMLOCK" => Resource::Memlock,
        "RLIMIT_AS" => Resource::As,
        "RLIMIT_LOCKS" => Resource::Locks,
        "RLIMIT_SIGPENDING" => Resource::Sigpending,
        "RLIMIT_MSGQUEUE" => Resource::Msgqueue,
        "RLIMIT_NICE" => Resource::Nice,
        "RLIMIT_RTPRIO" => Resource::Rtprio,
        "RLIMIT_RTTIME" => Resource::Rttime,
        other => return Err(Error::invalid(format!("invalid rlimit type {other:?}"))),
    })
}

/// CVE-2016-9962, CVE-2024-21626: `/proc/self/fd/N` as working directory would lead out of the container.
fn enter_directory(path: &Path) -> Result<()> {
    let what =
        || format!("chdir to cwd ({:?}) set in config.json failed", path.display().to_string());
    let root =
        rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).context(what)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let directory =
        sys::path::open_in_root(root.as_fd(), path, flags, Mode::empty()).context(what)?;
    rustix::process::fchdir(directory).context(what)
}

/// The kernel says where the process is only if that is below its root.
fn verify_directory() -> Result<()> {
    let current = rustix::process::getcwd(Vec::new()).context(|| "getcwd")?;
    if current.to_bytes().starts_with(b"/") {
        return Ok(());
    }
    Err(Error::other(
        "current working directory is outside of container mount namespace root -- possible \
         container breakout detected",
    ))
}

/// Finds a program as Go's `exec.LookPath` does, with its words for what is wrong.
fn find_program(name: &str, env: &[String]) -> Result<CString> {
    let found = if name.contains('/') {
        check_program(Path::new(name)).map_err(|error| explicit_path_error(name, error))?;
        PathBuf::from(name)
    } else {
        search_path(name, env)?
    };
    CString::new(found.as_os_str().as_bytes())
        .map_err(|_| Error::invalid(format!("exec: {name:?}: invalid name")))
}

fn explicit_path_error(name: &str, error: std::io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM | libc::EISDIR) => exec_error(name, &error),
        _ => {
            let kind = kind_of(&error);
            Error::new(kind, format!("exec: {name:?}: stat {name}: {}", describe(&error)))
        }
    }
}

fn search_path(name: &str, env: &[String]) -> Result<PathBuf> {
    let path = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut denied = false;
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = Path::new(directory).join(OsStr::new(name));
        match check_program(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) => {
                denied |= error.raw_os_error() == Some(libc::EACCES) && candidate.is_file()
            }
        }
    }
    if denied {
        let denied = std::io::Error::from_raw_os_error(libc::EACCES);
        return Err(exec_error(name, &denied));
    }
    let words = format!("exec: {name:?}: executable file not found in $PATH");
    Err(Error::new(ErrorKind::NotFound, words))
}

fn check_program(path: &Path) -> std::io::Result<()> {
    let stat = rustix::fs::stat(path)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(std::io::Error::from_raw_os_error(libc::EISDIR));
    }
    Ok(rustix::fs::accessat(rustix::fs::CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?)
}

fn exec_error(name: &str, error: &std::io::Error) -> Error {
    Error::new(kind_of(error), format!("exec: {name:?}: {}", describe(error)))
}

fn kind_of(error: &std::io::Error) -> ErrorKind {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => ErrorKind::NotFound,
        Some(libc::EACCES | libc::EPERM | libc::EISDIR | libc::ENOEXEC) => ErrorKind::Permission,
        _ => ErrorKind::Other,
    }
}

/// Puts descriptors on 0, 1 and 2.
pub(crate) fn set_stdio(fds: [BorrowedFd<'_>; 3]) -> Result<()> {
    // Copies out of the way first: one of them may have another's number.
    let copies: Vec<OwnedFd> = fds
        .iter()
        .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3))
        .collect::<rustix::io::Result<_>>()
        .context(|| "dup")?;
    for (copy, number) in copies.iter().zip(0..) {
        process::dup_to(copy.as_fd(), number).context(|| "stdio")?;
    }
    Ok(())
}
