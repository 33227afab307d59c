//! Variables: the process's own before those of `.env` files.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use super::{Options, absolute};
use crate::dotenv;
use crate::error::{Error, Result};
use crate::load::source;

/// The environment of a project in a directory.
pub(super) fn of(options: &Options, directory: &FilePath) -> Result<BTreeMap<String, String>> {
    let named = match options.env_files.is_empty() {
        false => options.env_files.clone(),
        true => listed(&options.environment),
    };
    let files: Vec<String> = match named.is_empty() {
        false => named.iter().map(|file| absolute(file, &options.directory)).collect(),
        true => default(directory).into_iter().collect(),
    };
    let mut environment = options.environment.clone();
    for (name, value) in read(&files, &options.environment)? {
        environment.entry(name).or_insert(value);
    }
    Ok(environment)
}

fn listed(environment: &BTreeMap<String, String>) -> Vec<String> {
    let files = environment.get("COMPOSE_ENV_FILES").map(|files| files.split(','));
    files.into_iter().flatten().filter(|file| !file.is_empty()).map(str::to_owned).collect()
}

/// `.env` of a directory, if there is one.
pub(super) fn default(directory: &FilePath) -> Option<String> {
    let path = directory.join(".env");
    path.is_file().then(|| path.to_string_lossy().into_owned())
}

/// What files say, later ones over earlier ones; `outer` wins over all of them where they look something up.
pub(super) fn read(
    files: &[String],
    outer: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let mut read: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let text = source::read(file).map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => {
                Error::Missing(format!("couldn't find env file: {file}"))
            }
            _ => Error::read(file, why),
        })?;
        let known = read.clone();
        let lookup = |name: &str| outer.get(name).or_else(|| known.get(name)).cloned();
        // What the file itself says of a name wins over an earlier file, not over what is outside.
        let own = |name: &str| outer.get(name).cloned();
        let parsed = dotenv::parse_with(&text, &own, &lookup)
            .map_err(|why| Error::Usage(format!("failed to read {file}: {why}")))?;
        read.extend(parsed);
    }
    Ok(read)
}
