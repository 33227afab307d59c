//! `top`: a container's processes, read from /proc. Nothing is run, neither the host's ps nor the container's.

use std::collections::HashMap;
use std::fs;

use api::containers::TopResponse;
use runtime::cgroup::Cgroup;

use super::Containers;
use super::request::Request;
use super::state::{Action, may};
use crate::error::{Error, Result, blocking};

impl Containers {
    /// `arguments` are those of ps: the default is `-ef`; `aux` and `-o LIST` are understood.
    pub async fn top(&self, wanted: &str, arguments: &str) -> Result<TopResponse> {
        let handle = self.find(wanted)?;
        let record = handle.record();
        may(Action::Top, record.subject())?;
        let columns = columns(arguments)?;
        let driver = self.0.cgroup_driver;
        let found = blocking(move || {
            let failed = |cause: runtime::cgroup::Error| {
                Error::system(format!("cannot list the processes of {}", record.name))
                    .because(cause)
            };
            let group = Cgroup::open(driver, &record.state.cgroup, &record.id).map_err(failed)?;
            let mut pids = match group.is_absent() {
                true => of_namespace(record.state.pid),
                false => group.pids().map_err(failed)?,
            };
            pids.sort_unstable();
            let host = Host::read();
            // Those that ended since are left out.
            let processes = pids.into_iter().filter_map(Process::read);
            let row = |process: Process| columns.iter().map(|c| c.value(&process, &host)).collect();
            let titles = columns.iter().map(|column| column.title().to_owned()).collect();
            Ok(TopResponse { processes: processes.map(row).collect(), titles })
        })
        .await?;
        handle.ask(|reply| Request::Tell { action: "top", reply }).await?;
        Ok(found)
    }
}

/// Without a cgroup a container's processes are those of its first process's pid namespace.
fn of_namespace(init: i32) -> Vec<i32> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(wanted) = namespace(init) else { return Vec::new() };
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(pid);
    all.filter(|pid| namespace(*pid).as_ref() == Some(&wanted)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// Name where the host knows one.
    User(&'static str),
    Pid,
    Ppid,
    /// Share of a processor since the start, in whole percent.
    C,
    Cpu,
    Mem,
    Vsz,
    Rss,
    Stime(&'static str),
    Tty,
    Stat,
    Time,
    /// With arguments.
    Command(&'static str),
    /// The program's name alone.
    Comm,
}

const FULL: [Column; 8] = [
    Column::User("UID"),
    Column::Pid,
    Column::Ppid,
    Column::C,
    Column::Stime("STIME"),
    Column::Tty,
    Column::Time,
    Column::Command("CMD"),
];

const AUX: [Column; 11] = [
    Column::User("USER"),
    Column::Pid,
    Column::Cpu,
    Column::Mem,
    Column::Vsz,
    Column::Rss,
    Column::Tty,
    Column::Stat,
    Column::Stime("START"),
    Column::Time,
    Column::Command("COMMAND"),
];

fn columns(arguments: &str) -> Result<Vec<Column>> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    match words[..] {
        [] | ["-ef" | "-fe" | "-eF" | "-f"] => Ok(FULL.to_vec()),
        ["aux" | "-aux" | "auxww" | "u"] => Ok(AUX.to_vec()),
        ["-o", list] | ["-eo" | "-eo,", list] | ["-e", "-o", list] | ["o", list] => custom(list),
        [one] if one.starts_with("-o") => custom(&one[2..]),
        _ => Err(Error::invalid(format!(
            "ps arguments {arguments:?} are not supported; use -ef, aux or -o with a list of columns"
        ))),
    }
}

fn custom(list: &str) -> Result<Vec<Column>> {
    let columns = list.split(',').map(|name| match name {
        "user" | "euser" | "uname" => Ok(Column::User("USER")),
        "uid" | "euid" => Ok(Column::User("UID")),
        "pid" => Ok(Column::Pid),
        "ppid" => Ok(Column::Ppid),
        "c" => Ok(Column::C),
        "pcpu" | "%cpu" => Ok(Column::Cpu),
        "pmem" | "%mem" => Ok(Column::Mem),
        "vsz" | "vsize" => Ok(Column::Vsz),
        "rss" => Ok(Column::Rss),
        "stime" => Ok(Column::Stime("STIME")),
        "start" | "start_time" => Ok(Column::Stime("START")),
        "tty" | "tt" | "tname" => Ok(Column::Tty),
        "stat" | "s" | "state" => Ok(Column::Stat),
        "time" | "cputime" => Ok(Column::Time),
        "cmd" => Ok(Column::Command("CMD")),
        "args" | "command" => Ok(Column::Command("COMMAND")),
        "comm" | "ucmd" => Ok(Column::Comm),
        other => {
            Err(Error::invalid(format!("error: unknown user-defined format specifier \"{other}\"")))
        }
    });
    let columns: Vec<Column> = columns.collect::<Result<_>>()?;
    // Docker needs it to tell the container's processes from others.
    if columns.contains(&Column::Pid) {
        Ok(columns)
    } else {
        Err(Error::system("Couldn't find PID field in ps output"))
    }
}

/// What values are relative to.
struct Host {
    users: HashMap<u32, String>,
    ticks: u64,
    uptime: f64,
    memory: u64,
}

impl Host {
    fn read() -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some((fields.nth(1)?.parse().ok()?, name))
        };
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        Self {
            users: passwd.lines().filter_map(user).collect(),
            ticks: rustix::param::clock_ticks_per_second().max(1),
            uptime: uptime.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
            memory: rustix::system::sysinfo().totalram as u64,
        }
    }
}

struct Process {
    pid: i32,
    ppid: i32,
    uid: u32,
    state: char,
    tty: i32,
    /// In clock ticks: used, and from boot to its start.
    used: u64,
    started: u64,
    virtual_bytes: u64,
    resident_bytes: u64,
    name: String,
    command: String,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let directory = format!("/proc/{pid}");
        let uid = fs::metadata(&directory).ok()?.uid();
        let stat = fs::read(format!("{directory}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name may hold any character; the last bracket ends it.
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let command = fs::read(format!("{directory}/cmdline")).unwrap_or_default();
        let page = rustix::param::page_size() as u64;
        Some(Self {
            pid,
            uid,
            state: fields.first()?.chars().next()?,
            ppid: fields.get(1)?.parse().ok()?,
            tty: fields.get(4)?.parse().ok()?,
            used: number(11)? + number(12)?,
            started: number(19)?,
            virtual_bytes: number(20)?,
            resident_bytes: number(21)? * page,
            command: command_line(&command, &name),
            name,
        })
    }
}

/// A process without a command line, such as a zombie, is shown by its name in brackets.
fn command_line(raw: &[u8], name: &str) -> String {
    let words = raw.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    if words.is_empty() { format!("[{name}]") } else { words.join(" ") }
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::User(title) | Self::Stime(title) | Self::Command(title) => title,
            Self::Pid => "PID",
            Self::Ppid => "PPID",
            Self::C => "C",
            Self::Cpu => "%CPU",
            Self::Mem => "%MEM",
            Self::Vsz => "VSZ",
            Self::Rss => "RSS",
            Self::Tty => "TTY",
            Self::Stat => "STAT",
            Self::Time => "TIME",
            Self::Comm => "COMMAND",
        }
    }

    fn value(self, process: &Process, host: &Host) -> String {
        let age = (host.uptime - process.started as f64 / host.ticks as f64).max(0.01);
        let load = process.used as f64 / host.ticks as f64 / age * 100.0;
        match self {
            Self::User(_) => {
                host.users.get(&process.uid).cloned().unwrap_or(process.uid.to_string())
            }
            Self::Pid => process.pid.to_string(),
            Self::Ppid => process.ppid.to_string(),
            Self::C => format!("{:.0}", load.floor()),
            Self::Cpu => format!("{load:.1}"),
            Self::Mem => {
                format!("{:.1}", process.resident_bytes as f64 / host.memory.max(1) as f64 * 100.0)
            }
            Self::Vsz => (process.virtual_bytes >> 10).to_string(),
            Self::Rss => (process.resident_bytes >> 10).to_string(),
            Self::Stime(_) => start_time(age),
            Self::Tty => terminal(process.tty),
            Self::Stat => process.state.to_string(),
            Self::Time => clock(process.used / host.ticks),
            Self::Command(_) => process.command.clone(),
            Self::Comm => process.name.clone(),
        }
    }
}

/// Hours and minutes within a day, else month and day.
fn start_time(age: f64) -> String {
    let now = jiff::Zoned::now();
    let seconds = age as i64;
    let Ok(started) = now.checked_sub(jiff::SignedDuration::from_secs(seconds)) else {
        return "?".into();
    };
    let format = if seconds < 24 * 3600 { "%H:%M" } else { "%b%d" };
    started.strftime(format).to_string()
}

/// `pts/0` and `?` for none, by the device's number.
fn terminal(device: i32) -> String {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    match major {
        136..=143 => format!("pts/{}", minor + (major - 136) * 256),
        4 => format!("tty{minor}"),
        _ => "?".into(),
    }
}

fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_arguments() {
        assert_eq!(columns("").unwrap(), FULL);
        assert_eq!(columns("aux").unwrap(), AUX);
        assert_eq!(columns("-o pid,cmd").unwrap(), [Column::Pid, Column::Command("CMD")]);
        assert!(columns("-o pid,nope").is_err());
        assert!(columns("--sort x").is_err());
        assert_eq!(
            columns("-o cmd").unwrap_err().to_string(),
            "Couldn't find PID field in ps output"
        );
    }

    #[test]
    fn processes_are_found_by_their_namespace() {
        let this = std::process::id().cast_signed();
        assert!(of_namespace(this).contains(&this));
        assert!(of_namespace(-1).is_empty());
    }

    #[test]
    fn this_process_is_found() {
        let process = Process::read(std::process::id().cast_signed()).unwrap();
        assert!(process.resident_bytes > 0 && process.started > 0);
        let row: Vec<String> = FULL.iter().map(|c| c.value(&process, &Host::read())).collect();
        assert_eq!(row.len(), FULL.len());
        assert!(!process.command.is_empty());
    }

    #[test]
    fn terminals_and_times() {
        assert_eq!(terminal(136 << 8 | 3), "pts/3");
        assert_eq!(terminal(0), "?");
        assert_eq!(clock(3725), "01:02:05");
        assert_eq!(command_line(b"", "init"), "[init]");
        assert_eq!(command_line(b"sh\0-c\0a b\0", "sh"), "sh -c a b");
    }
}
