//! `gantry image build`: as far as this version goes, the checks of a Dockerfile.

mod print;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use builder::check::{Known, Options};
use builder::dockerfile::{self, Dockerfile};
use builder::ignore::Ignore;
use serde_json::Value;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[
    Flag::list("build-arg", "Set build-time variables"),
    Flag::bool("check", "Check the Dockerfile, and build nothing"),
    Flag::string("file", "Name of the Dockerfile (default: \"PATH/Dockerfile\")").short('f'),
    Flag::bool("no-cache", "Do not use cache when building the image"),
    Flag::bool("pull", "Always attempt to pull all referenced images"),
    Flag::bool("quiet", "Suppress the build output and print image ID on success").short('q'),
    Flag::list("tag", "Name and optionally a tag (format: \"name:tag\")").short('t'),
    Flag::string("target", "Set the target build stage to build"),
];

pub(crate) const COMMAND: Command = Command {
    name: "build",
    aliases: &[],
    paths: &["image build", "build"],
    usage: "[OPTIONS] PATH | -",
    about: "Check a Dockerfile. Building itself is not in this version",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

/// A Dockerfile is small; what is not was meant for something else.
const LARGEST: u64 = 16 << 20;

async fn run(context: &Context, parsed: &Parsed) -> Done {
    if !parsed.bool("check") {
        return Err(Failure::new(
            "gantry: 'build' is in this version with --check only: building comes with the builder.",
        ));
    }
    let place = parsed.arg(0);
    let source = Source::find(place, parsed.str("file"))?;
    let file = match dockerfile::parse(&source.text) {
        Ok(file) => file,
        Err(error) => {
            let lines = error.line..=error.line;
            eprint!("{}", print::excerpt(&source.name, &source.text, &lines));
            return Err(Failure::new(format!("ERROR: failed to build: {error}")));
        }
    };
    let options = Options::parse(file.directives.check.as_deref().unwrap_or_default())
        .map_err(Failure::new)?;
    let variables = variables(context, &file).await;
    let known =
        Known { ignore: source.ignore.as_ref(), variables: &|image| variables.get(image).cloned() };
    let findings = builder::check::check(&file, &known, &options);
    print::findings(&findings, &source.name, &source.text)?;
    Ok(u8::from(!findings.is_empty()))
}

struct Source {
    /// As it is shown.
    name: String,
    text: String,
    ignore: Option<Ignore>,
}

impl Source {
    fn find(place: &str, file: &str) -> Result<Self> {
        if place == "-" {
            let text = read(std::io::stdin(), "-")?;
            return Ok(Self { name: "Dockerfile".into(), text, ignore: None });
        }
        let directory = Path::new(place);
        if !directory.is_dir() {
            return Err(Failure::new(format!(
                "ERROR: unable to prepare context: path {place:?} not found"
            )));
        }
        let path = match file {
            "" => directory.join("Dockerfile"),
            file => PathBuf::from(file),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let opened = std::fs::File::open(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::new(format!(
                "ERROR: failed to read dockerfile: open {}: no such file or directory",
                path.display()
            )),
            _ => Failure::new(format!(
                "ERROR: failed to read dockerfile: {}: {error}",
                path.display()
            )),
        })?;
        let text = read(opened, &name)?;
        Ok(Self { text, ignore: ignore(directory, &path)?, name })
    }
}

/// The file of that very Dockerfile goes before that of the context.
fn ignore(directory: &Path, dockerfile: &Path) -> Result<Option<Ignore>> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), directory.join(".dockerignore")] {
        if let Ok(file) = std::fs::File::open(&path) {
            let text = read(file, &path.display().to_string())?;
            return Ignore::parse(&text).map(Some).map_err(Failure::new);
        }
    }
    Ok(None)
}

fn read(from: impl Read, name: &str) -> Result<String> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::new(format!("{name} is larger than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new(format!("{name} is not UTF-8 text")))
}

/// The variables of base images that an engine, should one be there, has.
async fn variables(context: &Context, file: &Dockerfile) -> BTreeMap<String, Vec<String>> {
    let mut known = BTreeMap::new();
    let Ok(client) = context.connect_if_there().await else { return known };
    for stage in &file.stages {
        let Ok(image) = client.image_inspect_raw(&stage.base, "").await else { continue };
        let Ok(image) = serde_json::from_slice::<Value>(&image) else { continue };
        let entries = image["Config"]["Env"].as_array().into_iter().flatten();
        let names = entries.filter_map(|entry| Some(entry.as_str()?.split_once('=')?.0.to_owned()));
        known.insert(stage.base.clone(), names.collect());
    }
    known
}
