//! Which files make a project, and where it is.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use super::{Options, absolute, clean, environment};
use crate::error::{Error, Result};

const NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

pub(super) struct Found {
    /// Absolute, except for `-`.
    pub(super) files: Vec<String>,
    pub(super) directory: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn find(options: &Options) -> Result<Found> {
    let mut warnings = Vec::new();
    let named = |environment: &BTreeMap<String, String>| from_variable(environment);
    let given = match options.files.is_empty() {
        false => options.files.clone(),
        true => named(&options.environment),
    };
    let here = &options.directory;
    // A file of variables may say which files there are, so it is looked for before them.
    let outset = directory(options, given.first()).unwrap_or_else(|| here.clone());
    let environment = environment::of(options, &outset)?;
    let given = if given.is_empty() { named(&environment) } else { given };
    let files = match given.is_empty() {
        false => given.iter().map(|file| of_flag(file, here)).collect::<Result<Vec<_>>>()?,
        true => search(options.project_directory.as_deref().unwrap_or(here), &mut warnings)?,
    };
    let directory = directory(options, files.first()).unwrap_or_else(|| here.clone());
    let environment =
        if directory == outset { environment } else { environment::of(options, &directory)? };
    Ok(Found { files, directory, environment, warnings })
}

/// `COMPOSE_FILE`, by `COMPOSE_PATH_SEPARATOR`.
fn from_variable(environment: &BTreeMap<String, String>) -> Vec<String> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let separator = set("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
    let files = set("COMPOSE_FILE").map(|files| files.split(separator).map(str::to_owned));
    files.into_iter().flatten().collect()
}

fn of_flag(file: &str, here: &FilePath) -> Result<String> {
    if file == "-" {
        return Ok(file.to_owned());
    }
    let remote = ["oci://", "http://", "https://", "git@", "ssh://"];
    if remote.iter().any(|scheme| file.starts_with(scheme)) {
        return Err(Error::Usage(format!(
            "{file}: remote Compose files are refused: what they say runs with the engine's rights"
        )));
    }
    Ok(absolute(file, here))
}

/// Where relative paths begin: `--project-directory`, else the folder of the first file.
fn directory(options: &Options, first: Option<&String>) -> Option<PathBuf> {
    let here = &options.directory;
    if let Some(said) = &options.project_directory {
        return Some(clean(&here.join(said)));
    }
    let first = first.filter(|first| *first != "-")?;
    clean(&here.join(first)).parent().map(FilePath::to_owned)
}

/// The default files, here or in the nearest folder above that has them.
fn search(here: &FilePath, warnings: &mut Vec<String>) -> Result<Vec<String>> {
    for folder in here.ancestors() {
        let there = |names: &[&str]| -> Vec<String> {
            let paths = names.iter().map(|name| folder.join(name)).filter(|path| path.is_file());
            paths.map(|path| path.to_string_lossy().into_owned()).collect()
        };
        let found = there(&NAMES);
        let Some(first) = found.first() else { continue };
        if found.len() > 1 {
            warnings.push(format!(
                "Found multiple config files with supported names: {}",
                found.join(", ")
            ));
            warnings.push(format!("Using {first}"));
        }
        let overrides = there(&OVERRIDES);
        if overrides.len() > 1 {
            let names = overrides.join(", ");
            warnings.push(format!("Found multiple override files with supported names: {names}"));
            warnings.push(format!("Using {}", overrides[0]));
        }
        let files = [Some(first), overrides.first()];
        return Ok(files.into_iter().flatten().cloned().collect());
    }
    Err(Error::Missing("no configuration file provided: not found".to_owned()))
}
