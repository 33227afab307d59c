//! `--docker key=value,...`: an engine, as `create` and `update` take it.

use std::path::Path;

use crate::context::Context;
use crate::contexts::{self, ENGINE, Endpoint, TLS_FILES, Tls};
use crate::error::Result;
use crate::flags::{Flag, Parsed};

pub(super) const DESCRIPTION: Flag = Flag::string("description", "Description of the context");
pub(super) const DOCKER: Flag = Flag::list("docker", "set the docker endpoint")
    .type_name("stringToString")
    .default("[]")
    .check(check);

/// What a command does, and the keys of `--docker` for its help.
macro_rules! about {
    ($verb:literal, $what:literal) => {
        concat!(
            $what,
            "

Docker endpoint config:

NAME                DESCRIPTION
from                Copy named context's Docker endpoint configuration
host                Docker endpoint on which to connect
ca                  Trust certs signed only by this CA
cert                Path to TLS certificate file
key                 Path to TLS key file
skip-tls-verify     Skip TLS certificate validation

Example:

$ gantry context ",
            $verb,
            " my-context --description \"some description\" \
            --docker \"host=tcp://myserver:2376,ca=~/ca-file,cert=~/cert-file,key=~/key-file\""
        )
    };
}
pub(super) use about;

fn check(text: &str) -> Result<(), String> {
    match text.split(',').find(|pair| !pair.contains('=')) {
        Some(pair) => Err(format!("{pair} must be formatted as key=value")),
        None => Ok(()),
    }
}

/// The endpoint that the flag describes, with the files of its TLS.
pub(super) fn endpoint(context: &Context, parsed: &Parsed) -> Result<(Endpoint, Tls)> {
    read(context, parsed)
        .map_err(|why| format!("unable to create docker endpoint config: {why}").into())
}

fn read(context: &Context, parsed: &Parsed) -> Result<(Endpoint, Tls), String> {
    let given = parsed.list("docker");
    let pairs: Vec<(&str, &str)> = given
        .iter()
        .flat_map(|text| text.split(','))
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let value =
        |key: &str| pairs.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let known = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];
    if let Some((key, _)) = pairs.iter().find(|(key, _)| !known.contains(key)) {
        return Err(format!("{key}: unrecognized config key"));
    }
    let store = context.contexts();
    if let Some(from) = value("from") {
        let endpoint = store.load(from).map_err(|failure| failure.message)?.engine();
        return Ok((endpoint, store.tls(from).map_err(|failure| failure.message)?));
    }
    let mut files = std::collections::BTreeMap::new();
    for file in TLS_FILES {
        if let Some(path) = value(file.trim_end_matches(".pem")) {
            files.insert(file.to_owned(), pem(Path::new(path), file)?);
        }
    }
    let skip = value("skip-tls-verify").unwrap_or("false");
    let skip_tls_verify = crate::flags::parse_bool(skip).ok_or_else(|| {
        format!("skip-tls-verify: strconv.ParseBool: parsing {skip:?}: invalid syntax")
    })?;
    let host = value("host").unwrap_or_default().to_owned();
    if !host.is_empty() && !host.contains("://") {
        return Err(format!(
            "unable to apply docker endpoint options: unable to parse docker host `{host}`"
        ));
    }
    let tls = [(ENGINE.to_owned(), files)].into();
    Ok((Endpoint { host, skip_tls_verify }, tls))
}

fn pem(path: &Path, file: &str) -> Result<Vec<u8>, String> {
    let content = contexts::read(path)?;
    let text = String::from_utf8_lossy(&content);
    if text.contains("-----BEGIN ") && text.contains("-----END ") {
        return Ok(content);
    }
    Err(format!(
        "invalid docker endpoint options: failed to retrieve context tls info: {file} seems invalid"
    ))
}
