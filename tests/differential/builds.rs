//! The same Dockerfiles on BuildKit and here: the images must be the same but for times, in configuration, history and files
//! with their modes, owners, contents and attributes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::engine::{Engine, Output, finish};
use testkit::peers::Peers;

const IMAGES: &[&str] = &["busybox", "debian", "nginx", "redis"];

/// `==== name`, then for each file `---- path [mode]` and its lines, or `---- path -> target` of a link.
struct Case {
    name: &'static str,
    files: Vec<Source>,
}

struct Source {
    path: &'static str,
    mode: u32,
    content: String,
    link: Option<&'static str>,
}

const FILES: [&str; 4] = [
    include_str!("builds/languages.txt"),
    include_str!("builds/servers.txt"),
    include_str!("builds/instructions.txt"),
    include_str!("builds/rest.txt"),
];

#[test]
fn enough_dockerfiles_are_built() {
    let count: usize = FILES.iter().map(|text| cases(text).len()).sum();
    assert!(count >= 60, "only {count} Dockerfiles are built");
}

#[test]
fn languages() {
    compare(FILES[0]);
}

#[test]
fn servers() {
    compare(FILES[1]);
}

#[test]
fn instructions() {
    compare(FILES[2]);
}

#[test]
fn others() {
    compare(FILES[3]);
}

fn cases(text: &'static str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("==== ") {
            cases.push(Case { name, files: Vec::new() });
            continue;
        }
        let case = cases.last_mut().expect("a file begins with the name of a case");
        if let Some(head) = line.strip_prefix("---- ") {
            let (path, link) = match head.split_once(" -> ") {
                Some((path, target)) => (path, Some(target)),
                None => (head, None),
            };
            let (path, mode) = match path.rsplit_once(' ') {
                Some((path, mode)) if mode.bytes().all(|byte| byte.is_ascii_digit()) => {
                    (path, u32::from_str_radix(mode, 8).expect("a mode is octal"))
                }
                _ => (path, 0o644),
            };
            case.files.push(Source { path, mode, content: String::new(), link });
            continue;
        }
        let file = case.files.last_mut().expect("lines belong to a file");
        file.content.push_str(line);
        file.content.push('\n');
    }
    cases
}

impl Case {
    fn tar(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for file in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(file.mode);
            header.set_mtime(1_700_000_000);
            match file.link {
                Some(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, file.path, target).unwrap();
                }
                None => {
                    header.set_size(file.content.len() as u64);
                    tar.append_data(&mut header, file.path, file.content.as_bytes()).unwrap();
                }
            }
        }
        tar.into_inner().unwrap()
    }
}

/// One of the two engines, by its client.
trait Side {
    fn docker(&self, args: &[&str]) -> Command;
    fn build(&self, tag: &str) -> Command;
}

struct Theirs<'p>(&'p Peers);
struct Ours<'e>(&'e Engine);

impl Side for Theirs<'_> {
    fn docker(&self, args: &[&str]) -> Command {
        let mut command = self.0.inside();
        command.arg("docker").args(args);
        command
    }

    fn build(&self, tag: &str) -> Command {
        self.docker(&["buildx", "build", "--progress=plain", "--no-cache", "-t", tag, "-"])
    }
}

impl Side for Ours<'_> {
    fn docker(&self, args: &[&str]) -> Command {
        self.0.command(args)
    }

    fn build(&self, tag: &str) -> Command {
        self.docker(&["build", "--progress=plain", "-t", tag, "-"])
    }
}

fn compare(text: &'static str) {
    let Some(peers) = Peers::at_hand("the same Dockerfiles on BuildKit") else { return };
    let engine = Engine::start();
    for image in IMAGES {
        engine.load(image);
    }
    peers.load_all(IMAGES);
    let (theirs, ours) = (Theirs(&peers), Ours(&engine));
    let mut wrong = Vec::new();
    let mut bases = BTreeMap::new();
    for case in cases(text) {
        let tag = format!("builds-{}", case.name);
        let seen = [&theirs as &dyn Side, &ours].map(|side| {
            let built = with_input(side.build(&tag), &case.tar());
            if built.code != 0 {
                return Err(format!("{}{}", built.stdout, built.stderr));
            }
            Ok(image(side, &tag))
        });
        // What a base has is not what a build made.
        for name in IMAGES {
            bases
                .entry(*name)
                .or_insert_with(|| [&theirs as &dyn Side, &ours].map(|side| headers(side, name)));
        }
        let [expected, found] = seen;
        match (expected, found) {
            (Err(why), _) => wrong.push(format!("{}: BuildKit: {why}", case.name)),
            (_, Err(why)) => wrong.push(format!("{}: does not build: {why}", case.name)),
            (Ok(expected), Ok(found)) => {
                let [of_theirs, of_ours] = bases.values().fold(
                    [BTreeMap::new(), BTreeMap::new()],
                    |[mut a, mut b], [theirs, ours]| {
                        a.extend(theirs.clone());
                        b.extend(ours.clone());
                        [a, b]
                    },
                );
                wrong.extend(differences(case.name, (expected, &of_theirs), (found, &of_ours)));
            }
        }
        theirs.docker(&["image", "rm", "-f", &tag]).output().unwrap();
    }
    // Other tests count what that Docker keeps.
    finish(&mut theirs.docker(&["builder", "prune", "-af"])).ok();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

fn with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

struct Image {
    config: Value,
    history: Vec<Value>,
    files: BTreeMap<String, File>,
}

/// What an archive says of a file, and its bytes.
#[derive(Clone, PartialEq, Eq)]
struct File {
    kind: u8,
    mode: u32,
    owner: (u64, u64),
    link: String,
    device: (u32, u32),
    attributes: BTreeMap<String, Vec<u8>>,
    modified: u64,
    content: Vec<u8>,
}

/// Names under which an image is shown differ with the engine's own, times with the clock.
fn image(side: &dyn Side, name: &str) -> Image {
    let inspected = finish(&mut side.docker(&["image", "inspect", name])).ok();
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let image = &inspected[0];
    let history =
        finish(&mut side.docker(&["history", "--no-trunc", "--format", "{{json .}}", name])).ok();
    let history = history.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let history = history.map(|entry| json!([entry["CreatedBy"], entry["Comment"]])).collect();
    let layers = image["RootFS"]["Layers"].as_array().map_or(0, Vec::len);
    let config = json!({
        "config": image["Config"],
        "author": image["Author"],
        "architecture": image["Architecture"],
        "os": image["Os"],
        "layers": layers,
    });
    Image { config, history, files: headers(side, name) }
}

/// Where an engine puts what it mounts, and what it leaves in every container.
const STUBS: [&str; 8] = [
    ".dockerenv",
    "dev",
    "proc",
    "sys",
    "etc/hosts",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/mtab",
];

fn headers(side: &dyn Side, name: &str) -> BTreeMap<String, File> {
    let made = finish(&mut side.docker(&["create", "--entrypoint", "/x", name])).ok();
    let id = made.trim();
    let mut export = side.docker(&["export", id]);
    let mut child = export.stdout(Stdio::piped()).spawn().unwrap();
    let mut archive = tar::Archive::new(child.stdout.take().unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_matches('/').to_owned();
        let is_stub = |stub: &&str| path == **stub || path.starts_with(&format!("{stub}/"));
        if STUBS.iter().any(is_stub) {
            continue;
        }
        let mut attributes = BTreeMap::new();
        if let Some(extensions) = entry.pax_extensions().unwrap() {
            for extension in extensions.filter_map(Result::ok) {
                if let Some(name) =
                    extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr."))
                {
                    attributes.insert(name.to_owned(), extension.value_bytes().to_vec());
                }
            }
        }
        let header = entry.header().clone();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let number = |device: std::io::Result<Option<u32>>| device.ok().flatten().unwrap_or(0);
        let link = entry.link_name_bytes().unwrap_or_default();
        files.insert(
            path,
            File {
                kind: header.entry_type().as_byte(),
                mode: header.mode().unwrap() & 0o7777,
                owner: (header.uid().unwrap(), header.gid().unwrap()),
                link: String::from_utf8_lossy(&link).trim_start_matches('/').to_owned(),
                device: (number(header.device_major()), number(header.device_minor())),
                attributes,
                modified: header.mtime().unwrap(),
                content,
            },
        );
    }
    child.wait().unwrap();
    finish(&mut side.docker(&["rm", id])).ok();
    // The folder of those stubs, where an image has none.
    if !files.keys().any(|path| path.starts_with("etc/")) {
        files.remove("etc");
    }
    // Which name of a file is its first is the archiver's choice.
    let links: Vec<_> = files
        .iter()
        .filter(|(_, file)| file.kind == b'1')
        .map(|(path, file)| (path.clone(), file.link.clone()))
        .collect();
    for (path, first) in links {
        if let Some(file) = files.get(&first).cloned() {
            files.insert(path, file);
        }
    }
    files
}

type Base = BTreeMap<String, File>;

fn differences(name: &str, theirs: (Image, &Base), ours: (Image, &Base)) -> Vec<String> {
    let mut wrong = Vec::new();
    let ((expected, their_base), (found, our_base)) = (theirs, ours);
    if expected.config != found.config {
        let (a, b) = (pretty(&expected.config), pretty(&found.config));
        let (a, b) = super::without_common(&a, &b);
        wrong.push(format!("{name}: configuration\n{a}\n+++\n{b}"));
    }
    if expected.history != found.history {
        let text = |history: &[Value]| {
            history.iter().map(|entry| format!("{entry}\n")).collect::<String>()
        };
        let (a, b) = super::without_common(&text(&expected.history), &text(&found.history));
        wrong.push(format!("{name}: history\n{a}\n+++\n{b}"));
    }
    let paths: std::collections::BTreeSet<_> =
        expected.files.keys().chain(found.files.keys()).collect();
    for path in paths {
        let (was, is) = (expected.files.get(path), found.files.get(path));
        let same_base = was == their_base.get(path)
            && is == our_base.get(path)
            && was.is_some() == is.is_some();
        let same = match (was, is) {
            (Some(was), Some(is)) => was.shown(true) == is.shown(true) && was.content == is.content,
            _ => was == is,
        };
        if !same && !same_base {
            let shown =
                |file: Option<&File>| file.map_or("nothing".into(), |file| file.shown(false));
            wrong.push(format!("{name}: /{path}: {} +++ {}", shown(was), shown(is)));
        }
    }
    wrong
}

impl File {
    /// All but its time and its bytes.
    fn shown(&self, exactly: bool) -> String {
        let Self { kind, mode, owner: (uid, gid), link, device, attributes, content, .. } = self;
        let text = match content.len() {
            0..80 if !exactly => format!(" {:?}", String::from_utf8_lossy(content)),
            _ => String::new(),
        };
        format!(
            "{} {mode:o} {uid}:{gid} {link} {device:?} {attributes:?} {}{text}",
            char::from(*kind),
            content.len()
        )
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
