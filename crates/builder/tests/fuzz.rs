//! Fuzz targets for what builds read of strangers: Dockerfiles, variables, `.dockerignore`, contexts.
//!
//! Inputs are pieces of well-formed ones, mixed, cut and damaged; each is looked at by what holds for every input. How many
//! there are: `testkit::fuzz`.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use archive::unpack::{Options, Owner, Target, unpack};
use archive::{Limits, writer};
use builder::check::{self, Known};
use builder::context::wire;
use builder::ignore::Ignore;
use builder::plan::{Images, Request, Wanted, plan};
use builder::{dockerfile, expand};
use oci::image::ImageConfig;
use testkit::fuzz::{Random, fuzz};

const LINES: &[&str] = &[
    "# syntax=docker/dockerfile:1\n",
    "# escape=`\n",
    "# check=skip=all\n",
    "FROM busybox\n",
    "FROM busybox AS a\n",
    "FROM --platform=$BUILDPLATFORM a AS b\n",
    "FROM scratch\n",
    "FROM ${x:-a}\n",
    "ARG x\n",
    "ARG x=1 y=\"2 3\"\n",
    "ENV a=b c=\"$a d\"\n",
    "ENV old form\n",
    "LABEL a=b \"c d\"=e\n",
    "RUN echo hi\n",
    "RUN [\"a\", \"b\"]\n",
    "RUN a \\\n# comment\n  && b\n",
    "RUN <<E\ntext $a\nE\n",
    "RUN <<-'E' cat\n\tx\n\tE\n",
    "RUN --mount=type=cache,id=x,target=/c,sharing=locked y\n",
    "RUN --mount=type=bind,from=a,source=/x,target=/y,rw z\n",
    "RUN --mount=type=secret,id=s,env=S z\n",
    "RUN --mount=type=tmpfs,target=/t,size=1m --network=none x\n",
    "COPY a b /c/\n",
    "COPY --from=a --link x* /y\n",
    "COPY --chown=1:2 --chmod=u=rw,g+x --exclude=*.md . .\n",
    "COPY <<a <<b /x/\n1\na\n2\nb\n",
    "ADD --checksum=sha256:00 http://h/f /\n",
    "ADD --keep-git-dir=true https://h/r.git#v:d /\n",
    "WORKDIR /a/$b\n",
    "USER a:b\n",
    "EXPOSE 80/tcp 1-3\n",
    "VOLUME [\"/v\"]\n",
    "CMD a b\n",
    "ENTRYPOINT [\"x\"]\n",
    "HEALTHCHECK --interval=1s CMD x\n",
    "HEALTHCHECK NONE\n",
    "STOPSIGNAL 9\n",
    "SHELL [\"/bin/sh\"]\n",
    "ONBUILD RUN x\n",
    "MAINTAINER m\n",
    "\u{feff}",
    "\\\n",
    "\r\n",
    "<<E",
    "--",
    "=",
    "\"",
    "'",
    "$",
    "${",
    "[",
];

#[test]
fn fuzz_dockerfiles() {
    fuzz(1_500, |random| {
        let mut bytes = random.mix(LINES, 24).into_bytes();
        random.damage(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.split('\n').count();
        let file = match dockerfile::parse(&text) {
            Ok(file) => file,
            Err(error) => {
                assert!(error.line <= lines, "line {} of {lines}: {text:?}", error.line);
                return;
            }
        };
        for located in file.stages.iter().flat_map(|stage| &stage.instructions) {
            let (first, last) = (*located.lines.start(), *located.lines.end());
            assert!(1 <= first && first <= last && last <= lines, "{first}-{last}: {text:?}");
        }
        let known = Known { ignore: None, variables: &|_| None };
        for finding in check::check(&file, &known, &check::Options::default()) {
            assert!(*finding.lines.end() <= lines, "{finding:?}: {text:?}");
        }
        let request = Request::default();
        let wanted = |reference: &str| Wanted {
            reference: reference.into(),
            platform: request.platform.clone(),
        };
        let images = Images::from([(wanted("busybox"), ImageConfig::default())]);
        if let Ok(plan) = plan(&file, &request, &images) {
            assert!(plan.result < plan.vertices.len());
            for (at, vertex) in plan.vertices.iter().enumerate() {
                // Hence there are no circles.
                assert!(vertex.inputs.iter().all(|input| *input < at), "{text:?}");
            }
        }
    });
}

const WORDS: &[&str] = &[
    "$a",
    "${a}",
    "${b:-x}",
    "${c:+y}",
    "${d:?why}",
    "${a#*}",
    "${a##?x}",
    "${a%y*}",
    "${a%%[a-z]}",
    "${a/x/y}",
    "${a//*/z}",
    "${",
    "}",
    "$",
    "\\",
    "`",
    "'",
    "\"",
    " ",
    "\t",
    "x",
    "*",
    "?",
    "[",
    "]",
    "/",
    ":",
    "-",
    "+",
    "#",
    "%",
    "\u{e9}",
    "\u{1f980}",
    "\n",
];

#[test]
fn fuzz_variables() {
    fuzz(6_000, |random| {
        let text = random.mix(WORDS, 30);
        let value = random.mix(WORDS, 8);
        let escape = if random.below(2) == 0 { '\\' } else { '`' };
        let variable = |name: &str| (name == "a").then(|| value.clone());
        let (word, words) =
            (expand::word(&text, escape, variable), expand::words(&text, escape, variable));
        assert_eq!(word.is_ok(), words.is_ok(), "{text:?}");
        // No form repeats what it takes, so nothing grows but by the number of its places.
        let most = (text.len() + 1) * (value.len() + text.len() + 1);
        assert!(word.is_ok_and(|word| word.len() <= most) || words.is_err(), "{text:?}");
        let _ = expand::document(&text, escape, variable);
        let _ = expand::shown(&text, escape, variable);
        for name in expand::names(&text, escape) {
            assert!(text.contains(&name), "{name:?} of {text:?}");
        }
    });
}

const PATTERNS: &[&str] = &[
    "a", "b", "c.md", "*", "**", "?", "/", "!", "[a-c]", "[^a]", "[", "]", "\\", "\\*", ".", "..",
    "#", " ", "\n", "\n!", "\n**/", "\r\n",
];
const NAMES: &[&str] = &["a", "b", "c.md", "node_modules", "x y", "*", "[", "\u{e9}"];

#[test]
fn fuzz_ignored_paths() {
    fuzz(4_000, |random| {
        let text = random.mix(PATTERNS, 24);
        let Ok(ignore) = Ignore::parse(&text) else { return };
        let depth = random.below(5) + 1;
        let names: Vec<&str> = (0..depth).map(|_| random.of(NAMES)).collect();
        let path = names.join("/");
        if ignore.is_ignored(&path) {
            return;
        }
        // Who walks a context enters no ignored folder that cannot hold an exception: none must be missed by that.
        for end in 1..depth {
            let folder = names[..end].join("/");
            let is_entered = !ignore.is_ignored(&folder) || ignore.may_hold_exceptions(&folder);
            assert!(is_entered, "{path:?} is lost in {folder:?} by {text:?}");
        }
    });
}

const LONG: &str = "long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long";

/// A tar of names that want to get out, with what they say of themselves.
fn tar(random: &mut Random) -> Vec<u8> {
    let places = ["a", "a/b", "link", "link/x", "../out", "/abs", "a/../../out", "./c", "", LONG];
    let targets = ["a", "..", "/", "../../out", "link", "/etc/passwd"];
    let mut tar = Vec::new();
    for _ in 0..random.below(8) + 1 {
        let kinds = [
            archive::Kind::File,
            archive::Kind::Directory,
            archive::Kind::Symlink,
            archive::Kind::HardLink,
            archive::Kind::Fifo,
        ];
        let kind = kinds[random.below(kinds.len())];
        let content = vec![b'x'; if kind == archive::Kind::File { random.below(1_000) } else { 0 }];
        let mut entry = writer::plain(content.len() as u64);
        entry.kind = kind;
        entry.path = random.of(&places).as_bytes().to_vec();
        if matches!(kind, archive::Kind::Symlink | archive::Kind::HardLink) {
            entry.link = random.of(&targets).as_bytes().to_vec();
        }
        if writer::write_header(&mut tar, &entry).is_ok() {
            tar.extend(&content);
            writer::pad(&mut tar, content.len() as u64).expect("a vector takes it");
        }
    }
    writer::finish(&mut tar).expect("a vector takes it");
    tar
}

#[test]
fn fuzz_contexts() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let out = place.path().join("out");
    fuzz(300, |random| {
        std::fs::write(&out, "of somebody else").expect("a file");
        let mut bytes = tar(random);
        random.damage(&mut bytes);
        let root = tempfile::tempdir_in(place.path()).expect("a temporary folder");
        let folder = File::open(root.path()).expect("the folder");
        let target = Target { root: folder.as_fd(), directory: Path::new(""), shown: root.path() };
        let limits = Limits { entries: 1_000, layer: 1 << 20, ..Limits::default() };
        let options =
            Options { owner: Owner::Caller, replace_directories: true, limits, rename: None };
        // What is wrong with it is no matter here.
        let _ = unpack(bytes.as_slice(), target, options);
        assert_eq!(std::fs::read(&out).expect("the file"), b"of somebody else");
        drop(root);
        let left = std::fs::read_dir(place.path()).expect("the folder").count();
        assert_eq!(left, 1, "something is beside the context");
    });
}

#[test]
fn fuzz_lists_of_files() {
    fuzz(3_000, |random| {
        let mut bytes = Vec::new();
        let encoder = wire::Encoder::begin(random.below(2) == 0, &mut bytes);
        encoder.finish(&mut bytes);
        let places: Vec<usize> = (0..random.below(20)).map(|_| random.below(1 << 20)).collect();
        assert_eq!(wire::decode_places(&wire::encode_places(&places)).ok(), Some(places));
        bytes.extend((0..random.below(200)).map(|_| random.bits() as u8 & 0x7f));
        random.damage(&mut bytes);
        let Ok(listing) = wire::decode(&bytes) else { return };
        let paths: Vec<_> = listing.entries.iter().map(|entry| &entry.path).collect();
        assert!(paths.windows(2).all(|pair| pair[0] < pair[1]), "{paths:?}");
        let is_clean = |path: &Path| {
            path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
        };
        assert!(paths.iter().all(|path| is_clean(path)), "{paths:?}");
    });
}
