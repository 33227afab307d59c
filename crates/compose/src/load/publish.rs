//! What `publish` sends of a project: its files, byte for byte, and nothing that they merely lead to.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use super::source::{self, Source};
use super::{Options, files, section, services};
use crate::error::{Error, Result};
use crate::yaml::Node;

/// Files by the names that they have among themselves, and what of them is for others to see only by consent.
#[derive(Debug, Default)]
pub struct Publication {
    /// Compose files, each to be put over those before it.
    pub files: Vec<(String, String)>,
    /// Files of variables that services name.
    pub env_files: BTreeMap<String, String>,
    /// Who declares values: a line each.
    pub values: Vec<String>,
}

/// Refuses what cannot be used elsewhere: files that need others which are not sent.
pub fn publication(options: &Options) -> Result<Publication> {
    let found = files::find(options)?;
    let source = Source {
        variables: None,
        directory: found.directory.clone(),
        stdin: None,
        warnings: Default::default(),
    };
    let mut publication = Publication::default();
    for file in &found.files {
        if file == "-" {
            let why = "a project that comes from standard input has no file to publish";
            return Err(Error::Usage(why.to_owned()));
        }
        for document in source.documents(file)? {
            publication.look_at(&document, &found.directory)?;
        }
        let name = FilePath::new(file).file_name().unwrap_or_default().to_string_lossy();
        if publication.files.iter().any(|(other, _)| *other == name) {
            return Err(Error::Usage(format!("two Compose files are called {name}")));
        }
        publication.files.push((name.into_owned(), read(file)?));
    }
    Ok(publication)
}

impl Publication {
    fn look_at(&mut self, document: &Node, directory: &FilePath) -> Result {
        if let Some(include) = document.get("include") {
            let why = "cannot publish compose project with local includes";
            return Err(Error::Invalid(format!("{}: {why}", include.place)));
        }
        for (name, service) in services(document) {
            if let Some(file) = service.get("extends").and_then(|extends| extends.get("file")) {
                let why =
                    format!("cannot publish service {name:?}, which extends one of another file");
                return Err(Error::Invalid(format!("{}: {why}", file.place)));
            }
            let files = service.get("env_file").and_then(Node::as_list).unwrap_or_default();
            for file in files {
                self.take_env_file(file, directory)?;
            }
            if !files.is_empty() {
                self.values.push(format!("service {name:?} has env_file declared."));
            }
            if service.get("environment").and_then(Node::as_map).is_some_and(|map| !map.is_empty())
            {
                self.values.push(format!("service {name:?} has environment variable(s) declared."));
            }
        }
        for kind in ["configs", "secrets"] {
            for (name, _) in section(document, kind).filter(|(_, it)| it.get("content").is_some()) {
                let kind = kind.trim_end_matches('s');
                self.values.push(format!("{kind} {name:?} has its content declared."));
            }
        }
        Ok(())
    }

    /// Where it is used it lies beside the Compose file, as here.
    fn take_env_file(&mut self, file: &Node, directory: &FilePath) -> Result {
        let path = file.get("path").and_then(Node::scalar).unwrap_or_default();
        let name = path.strip_prefix("./").unwrap_or(&path);
        if name.is_empty() || name.contains(['/', '$']) || name.starts_with("..") {
            let why = "only a file beside the Compose file can be published";
            return Err(Error::Invalid(format!("{}: env_file {path}: {why}", file.place)));
        }
        let is_required = file.get("required").and_then(Node::scalar).as_deref() != Some("false");
        let whole = directory.join(name);
        if is_required || whole.exists() {
            self.env_files.insert(name.to_owned(), read(&whole.to_string_lossy())?);
        }
        Ok(())
    }
}

fn read(path: &str) -> Result<String> {
    source::read(path).map_err(|why| Error::read(path, why))
}
