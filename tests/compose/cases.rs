//! Cases of `compose config`, a file each: the command line, the files that it reads, and what Docker Compose 2.26 says to
//! them. Where this engine's words differ, both are there; docs/differences.md has the reasons.
//!
//! `UPDATE_EXPECT=1` writes down what is said now: Docker's part by the differential test, our own by the black-box test.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::engine::Output;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) files: Vec<(String, String)>,
    head: String,
    pub(crate) docker: Option<Said>,
    /// Where it is not what Docker says.
    pub(crate) gantry: Option<Said>,
}

/// What a command said, with `$ROOT` for the folder of all cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    fn of(output: &Output, root: &str) -> Self {
        let plain = |text: &str| text.replace(root, "$ROOT");
        Self {
            code: output.code,
            stdout: plain(&output.stdout),
            stderr: untimed(&plain(&output.stderr)),
        }
    }

    /// The same without the places that only this engine names.
    pub(crate) fn without_places(&self) -> Self {
        Self { stderr: unplaced(&self.stderr).trim_end().to_owned(), ..self.clone() }
    }

    fn write(&self, who: &str) -> String {
        let block = |what: &str, text: &str| match text {
            "" => String::new(),
            _ => format!("== {who} {what}\n{text}{}", if text.ends_with('\n') { "" } else { "\n" }),
        };
        let code = format!("== {who} code\n{}\n", self.code);
        code + &block("stdout", &self.stdout) + &block("stderr", &self.stderr)
    }
}

/// Lines of logs without their time.
fn untimed(text: &str) -> String {
    let untimed = |line: &str| match line.strip_prefix("time=\"") {
        Some(rest) => rest.split_once("\" ").map_or(line, |(_, rest)| rest).to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(|line| untimed(line) + "\n").collect()
}

/// `FILE:LINE:COLUMN: ` at the beginning is gone, elsewhere the numbers are.
fn unplaced(text: &str) -> String {
    let place = regex_lite::Regex::new(r"^\$ROOT\S*:\d+:\d+: ").expect("a pattern");
    let numbers = regex_lite::Regex::new(r":\d+:\d+").expect("a pattern");
    numbers.replace_all(&place.replace(text, ""), "").into_owned()
}

/// Every case, by name.
pub(crate) fn all() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("compose/cases")
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a case");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (head, said) = match text.find("\n== ") {
            Some(at) => text.split_at(at + 1),
            None => (text.as_str(), ""),
        };
        let mut lines = head.lines().peekable();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let run = lines.next().and_then(|line| line.strip_prefix("run: "));
        let args = words(run.unwrap_or_else(|| panic!("{name}: no command line")));
        let env = lines.next_if(|line| line.starts_with("env: "));
        let env = words(env.unwrap_or_default().strip_prefix("env: ").unwrap_or_default());
        let files = sections(lines, |line| {
            line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"))
        });
        let parts = sections(said.lines(), |line| line.strip_prefix("== "));
        let of = |who: &str| said_by(&parts, who);
        Self {
            name,
            args,
            env,
            files,
            head: head.to_owned(),
            docker: of("docker"),
            gantry: of("gantry"),
        }
    }

    /// Writes its files beneath a folder and returns the one of this case.
    pub(crate) fn unpack(&self, root: &Path) -> PathBuf {
        let folder = root.join(&self.name);
        for (name, text) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
            fs::write(&path, text).expect("a file");
        }
        folder
    }

    /// What a run of the case said. Lists of names have no order that Docker Compose keeps.
    pub(crate) fn said(&self, output: &Output, root: &str) -> Said {
        const LISTS: [&str; 6] =
            ["--services", "--volumes", "--images", "--profiles", "--hash", "--variables"];
        let mut said = Said::of(output, root);
        if self.args.iter().any(|arg| LISTS.contains(&arg.as_str())) {
            let mut lines: Vec<&str> = said.stdout.lines().collect();
            lines.sort_unstable();
            said.stdout = lines.iter().map(|line| format!("{line}\n")).collect();
        }
        said
    }

    /// What this engine is to say.
    pub(crate) fn expected(&self) -> Option<&Said> {
        self.gantry.as_ref().or(self.docker.as_ref())
    }

    /// Writes down what is expected.
    pub(crate) fn save(&self) {
        let docker = self.docker.as_ref().map(|said| said.write("docker"));
        let gantry = self.gantry.as_ref().map(|said| said.write("gantry"));
        let text = self.head.clone() + &docker.unwrap_or_default() + &gantry.unwrap_or_default();
        fs::write(folder().join(format!("{}.txt", self.name)), text).expect("a case is written");
    }
}

/// Texts under headings.
fn sections<'a>(
    lines: impl Iterator<Item = &'a str>,
    heading: impl Fn(&'a str) -> Option<&'a str>,
) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (heading(line), found.last_mut()) {
            (Some(title), _) => found.push((title.to_owned(), String::new())),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => panic!("{line:?} is in no section"),
        }
    }
    found
}

fn said_by(parts: &[(String, String)], who: &str) -> Option<Said> {
    let part = |what: &str| {
        parts
            .iter()
            .find(|(title, _)| *title == format!("{who} {what}"))
            .map(|(_, text)| text.clone())
    };
    let code = part("code")?.trim().parse().expect("an exit code");
    Some(Said {
        code,
        stdout: part("stdout").unwrap_or_default(),
        stderr: part("stderr").unwrap_or_default(),
    })
}

/// Whether what is said is to be written down instead of compared.
pub(crate) fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1")
}
