//! One instruction: its keyword, flags and arguments.

use std::time::Duration;

use super::flags::{Flags, Kind};
use super::heredoc::{self, Heredoc};
use super::lines::Line;
use super::mount::Mount;
use super::stages::Arguments;
use super::words;
use crate::nearest::nearest;

/// What a line asks for. Texts still hold their variables, quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    Add(Copy),
    Arg(Arguments),
    Cmd(Command),
    Copy(Copy),
    Entrypoint(Command),
    Env(Vec<(String, String)>),
    Expose(Vec<String>),
    Healthcheck(Healthcheck),
    Label(Vec<(String, String)>),
    Maintainer(String),
    /// The text of the instruction that whoever builds upon the image carries out first.
    Onbuild(String),
    Run(Run),
    Shell(Vec<String>),
    Stopsignal(String),
    User(String),
    Volume(Vec<String>),
    Workdir(String),
}

/// A program's arguments, or a line for the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Exec(Vec<String>),
    Shell(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Empty where the only here-document is the script.
    pub command: Command,
    pub heredocs: Vec<Heredoc>,
    pub mounts: Vec<Mount>,
    pub network: Option<String>,
    pub security: Option<String>,
    pub devices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Path(String),
    Heredoc(Heredoc),
}

/// COPY and ADD; what only one of them has is `None` or empty for the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub sources: Vec<Source>,
    pub destination: String,
    pub from: Option<String>,
    pub chown: Option<String>,
    pub chmod: Option<String>,
    pub link: bool,
    pub parents: bool,
    pub exclude: Vec<String>,
    pub checksum: Option<String>,
    pub keep_git_dir: Option<bool>,
    pub unpack: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    None,
    Command {
        command: Command,
        interval: Option<Duration>,
        timeout: Option<Duration>,
        start_period: Option<Duration>,
        start_interval: Option<Duration>,
        retries: Option<u32>,
    },
}

/// All but FROM, which begins a stage.
const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The keyword in capitals, and the rest without space around it.
pub(super) fn split(text: &str) -> (String, &str) {
    let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (keyword.to_ascii_uppercase(), rest.trim())
}

/// # Errors
/// In BuildKit's words.
pub(super) fn parse(line: &Line) -> Result<Instruction, String> {
    let (keyword, rest) = split(&line.text);
    match keyword.as_str() {
        "ADD" | "COPY" => copy(&keyword, rest, line),
        "ARG" => without_flags(rest, line.escape).and_then(|rest| arg(rest, line.escape)),
        "CMD" => Ok(Instruction::Cmd(command(without_flags(rest, line.escape)?)?)),
        "ENTRYPOINT" => Ok(Instruction::Entrypoint(command(without_flags(rest, line.escape)?)?)),
        "ENV" => words::pairs(&keyword, rest, line.escape).map(Instruction::Env),
        "EXPOSE" => list(&keyword, rest, line.escape).map(Instruction::Expose),
        "HEALTHCHECK" => healthcheck(rest, line.escape).map(Instruction::Healthcheck),
        "LABEL" => words::pairs(&keyword, rest, line.escape).map(Instruction::Label),
        "MAINTAINER" => one(&keyword, rest).map(Instruction::Maintainer),
        "ONBUILD" => onbuild(rest).map(Instruction::Onbuild),
        "RUN" => run(rest, line).map(Instruction::Run),
        "SHELL" => shell(rest).map(Instruction::Shell),
        "STOPSIGNAL" => one(&keyword, rest).map(Instruction::Stopsignal),
        "USER" => one(&keyword, rest).map(Instruction::User),
        "VOLUME" => volume(rest, line.escape).map(Instruction::Volume),
        "WORKDIR" => one(&keyword, rest).map(Instruction::Workdir),
        _ => Err(unknown(&keyword)),
    }
}

fn unknown(keyword: &str) -> String {
    match nearest(keyword, KEYWORDS.into_iter()) {
        Some(nearest) => format!("unknown instruction: {keyword} (did you mean {nearest}?)"),
        None => format!("unknown instruction: {keyword}"),
    }
}

fn without_flags(rest: &str, escape: char) -> Result<&str, String> {
    Flags::take(rest, &[], escape).map(|(_, rest)| rest)
}

fn one(keyword: &str, rest: &str) -> Result<String, String> {
    if rest.is_empty() {
        return Err(format!("{keyword} requires exactly one argument"));
    }
    Ok(rest.to_owned())
}

fn list(keyword: &str, rest: &str, escape: char) -> Result<Vec<String>, String> {
    let words = words::split(rest, escape);
    if words.is_empty() {
        return Err(format!("{keyword} requires at least one argument"));
    }
    Ok(words)
}

fn arg(rest: &str, escape: char) -> Result<Instruction, String> {
    let words = list("ARG", rest, escape)?;
    let parse = |word: String| match word.split_once('=') {
        Some(("", _)) => Err(String::from("ARG names can not be blank")),
        Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
        None => Ok((word, None)),
    };
    words.into_iter().map(parse).collect::<Result<_, _>>().map(Instruction::Arg)
}

fn command(rest: &str) -> Result<Command, String> {
    Ok(match words::json(rest)? {
        Some(arguments) => Command::Exec(arguments),
        None => Command::Shell(rest.to_owned()),
    })
}

fn shell(rest: &str) -> Result<Vec<String>, String> {
    match words::json(rest)? {
        Some(arguments) if !arguments.is_empty() => Ok(arguments),
        Some(_) => Err("SHELL requires at least one argument".into()),
        None => Err("SHELL requires the arguments to be in JSON form".into()),
    }
}

fn volume(rest: &str, escape: char) -> Result<Vec<String>, String> {
    let paths = match words::json(rest)? {
        Some(paths) => paths,
        None => words::split(rest, escape),
    };
    if paths.is_empty() {
        return Err("VOLUME requires at least one argument".into());
    }
    if paths.iter().any(|path| path.trim().is_empty()) {
        return Err("VOLUME specified can not be an empty string".into());
    }
    Ok(paths)
}

fn onbuild(rest: &str) -> Result<String, String> {
    match split(rest).0.as_str() {
        "" => Err("ONBUILD requires at least one argument".into()),
        "ONBUILD" => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".into()),
        keyword @ ("FROM" | "MAINTAINER") => {
            Err(format!("{keyword} isn't allowed as an ONBUILD trigger"))
        }
        keyword if !KEYWORDS.contains(&keyword) => Err(unknown(keyword)),
        _ => Ok(rest.to_owned()),
    }
}

fn run(rest: &str, line: &Line) -> Result<Run, String> {
    const KNOWN: [(&str, Kind); 4] = [
        ("mount", Kind::Texts),
        ("network", Kind::Text),
        ("security", Kind::Text),
        ("device", Kind::Texts),
    ];
    let (mut flags, rest) = Flags::take(rest, &KNOWN, line.escape)?;
    let mounts = flags.texts("mount").into_iter().map(|text| Mount::parse(&text));
    let mounts = mounts.collect::<Result<_, _>>()?;
    let network = flags.text("network");
    one_of("network", network.as_deref(), &["default", "none", "host"])?;
    let security = flags.text("security");
    one_of("security", security.as_deref(), &["sandbox", "insecure"])?;
    if rest.is_empty() {
        return Err("RUN requires at least one argument".into());
    }
    let is_script = line.heredocs.len() == 1 && heredoc::parse(rest).is_some();
    let command = if is_script { Command::Shell(String::new()) } else { command(rest)? };
    let heredocs = line.heredocs.clone();
    Ok(Run { command, heredocs, mounts, network, security, devices: flags.texts("device") })
}

fn one_of(flag: &str, value: Option<&str>, known: &[&str]) -> Result<(), String> {
    match value {
        Some(value) if !known.contains(&value) => {
            Err(format!("invalid {flag} mode {value:?}: {} are known", known.join(", ")))
        }
        _ => Ok(()),
    }
}

fn copy(keyword: &str, rest: &str, line: &Line) -> Result<Instruction, String> {
    const COPY: [(&str, Kind); 6] = [
        ("from", Kind::Text),
        ("chown", Kind::Text),
        ("chmod", Kind::Text),
        ("link", Kind::Switch),
        ("parents", Kind::Switch),
        ("exclude", Kind::Texts),
    ];
    const ADD: [(&str, Kind); 7] = [
        ("keep-git-dir", Kind::Switch),
        ("chown", Kind::Text),
        ("chmod", Kind::Text),
        ("link", Kind::Switch),
        ("checksum", Kind::Text),
        ("unpack", Kind::Switch),
        ("exclude", Kind::Texts),
    ];
    let is_copy = keyword == "COPY";
    let known: &[(&str, Kind)] = if is_copy { &COPY } else { &ADD };
    let (mut flags, rest) = Flags::take(rest, known, line.escape)?;
    let (sources, destination) = places(keyword, rest, line)?;
    let copy = Copy {
        sources,
        destination,
        from: flags.text("from"),
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.switch("link")?.unwrap_or(false),
        parents: flags.switch("parents")?.unwrap_or(false),
        exclude: flags.texts("exclude"),
        checksum: flags.text("checksum"),
        keep_git_dir: flags.switch("keep-git-dir")?,
        unpack: flags.switch("unpack")?,
    };
    Ok(if is_copy { Instruction::Copy(copy) } else { Instruction::Add(copy) })
}

fn places(keyword: &str, rest: &str, line: &Line) -> Result<(Vec<Source>, String), String> {
    let mut paths = match words::json(rest)? {
        Some(paths) => paths,
        None => words::split(rest, line.escape),
    };
    if paths.len() < 2 {
        let why = match paths.len() {
            0 => "",
            _ => ", but only one was provided. Destination could not be determined",
        };
        return Err(format!("{keyword} requires at least two arguments{why}."));
    }
    let destination = paths.pop().unwrap_or_default();
    if heredoc::parse(&destination).is_some() {
        return Err(format!("{keyword} cannot accept a heredoc as a destination"));
    }
    let mut heredocs = line.heredocs.iter().cloned();
    let source = |path: String| match heredoc::parse(&path).and_then(|_| heredocs.next()) {
        Some(heredoc) => Source::Heredoc(heredoc),
        None => Source::Path(path),
    };
    Ok((paths.into_iter().map(source).collect(), destination))
}

fn healthcheck(rest: &str, escape: char) -> Result<Healthcheck, String> {
    const KNOWN: [(&str, Kind); 5] = [
        ("interval", Kind::Text),
        ("timeout", Kind::Text),
        ("start-period", Kind::Text),
        ("start-interval", Kind::Text),
        ("retries", Kind::Text),
    ];
    let (mut flags, rest) = Flags::take(rest, &KNOWN, escape)?;
    let (kind, rest) = split(rest);
    match kind.as_str() {
        "" => return Err("HEALTHCHECK requires at least one argument".into()),
        "NONE" if rest.is_empty() => return Ok(Healthcheck::None),
        "NONE" => return Err("HEALTHCHECK NONE takes no arguments".into()),
        "CMD" => {}
        other => return Err(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)")),
    }
    if rest.is_empty() {
        return Err("Missing command after HEALTHCHECK CMD".into());
    }
    let mut interval = |name: &str| flags.text(name).map(|text| span(name, &text)).transpose();
    Ok(Healthcheck::Command {
        command: command(rest)?,
        interval: interval("interval")?,
        timeout: interval("timeout")?,
        start_period: interval("start-period")?,
        start_interval: interval("start-interval")?,
        retries: flags.text("retries").map(|text| retries(&text)).transpose()?,
    })
}

fn retries(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(count) if count < 0 => Err(format!("--retries cannot be negative ({count})")),
        Ok(count) => u32::try_from(count).map_err(|_| format!("--retries is too large ({count})")),
        Err(_) => Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
    }
}

/// Go's notation of durations: `1h2m3.5s`. Zero leaves the default in force; less than a millisecond is refused.
fn span(flag: &str, text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest == "0" {
        return Ok(total);
    }
    while !rest.is_empty() {
        let unit_at =
            rest.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').ok_or_else(invalid)?;
        let (number, behind) = rest.split_at(unit_at);
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(invalid()),
        };
        let number: f64 = number.parse().map_err(|_| invalid())?;
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| invalid())?;
        rest = behind;
    }
    if total > Duration::ZERO && total < Duration::from_millis(1) {
        return Err(format!("Interval {flag:?} cannot be less than 1ms"));
    }
    if text.is_empty() { Err(invalid()) } else { Ok(total) }
}
