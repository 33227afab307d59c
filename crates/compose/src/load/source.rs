//! Files in their order, each parsed, filled in, read and extended, as one tree.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use super::{extends, include, node_of_nothing};
use crate::error::{Error, Result};
use crate::interpolate::{Environment, Variables, interpolate, substitute};
use crate::merge;
use crate::schema::Reader;
use crate::yaml::{self, Map, Node, Value};

/// Files that people write are far below; what is not one (`/dev/zero`) must not fill memory.
const MOST_BYTES: u64 = 16 << 20;

/// Where files and the values of their variables come from.
pub(super) struct Source<'a> {
    /// Nothing where variables are to stay as they are.
    pub(super) variables: Option<&'a Environment<'a>>,
    /// Where relative paths begin.
    pub(super) directory: PathBuf,
    pub(super) stdin: Option<&'a str>,
    pub(super) warnings: RefCell<Vec<String>>,
}

/// The name that files give their project, the last one's: variables of it are replaced first of all, because its result
/// is a variable itself.
pub(super) fn name(
    files: &[String],
    stdin: Option<&str>,
    variables: &dyn Variables,
) -> Result<Option<String>> {
    let mut name = None;
    for file in files {
        for document in parse(file, stdin)? {
            let said = document.get("name").and_then(Node::as_str);
            name = said.and_then(|said| substitute(said, variables).ok()).or(name);
        }
    }
    Ok(name)
}

fn parse(file: &str, stdin: Option<&str>) -> Result<Vec<Node>> {
    let text = match (file, stdin) {
        ("-", Some(text)) => text.to_owned(),
        _ => read(file).map_err(|why| Error::read(file, why))?,
    };
    yaml::documents(&Arc::from(file), &text)
}

impl Source<'_> {
    pub(super) fn files(&self, files: &[String]) -> Result<Node> {
        self.files_included_by(files, &[])
    }

    /// `stack` are the files on the way here.
    pub(super) fn files_included_by(&self, files: &[String], stack: &[String]) -> Result<Node> {
        let mut whole: Option<Node> = None;
        for file in files {
            let documents = self.documents(file)?;
            if documents.is_empty() {
                return Err(Error::Invalid("empty compose file".to_owned()));
            }
            for document in documents {
                let read = self.document(document, file, stack)?;
                whole = Some(match whole {
                    Some(base) => merge::merge(base, read),
                    None => read,
                });
            }
        }
        let mut whole = whole.ok_or_else(|| Error::Invalid("empty compose file".to_owned()))?;
        merge::enforce_unique(&mut whole);
        Ok(whole)
    }

    /// A file's documents, filled in and read, but not extended.
    pub(super) fn documents(&self, file: &str) -> Result<Vec<Node>> {
        let documents = parse(file, self.stdin)?;
        let reader = Reader { has_variables: self.variables.is_none() };
        let filled = documents.into_iter().filter(|document| !document.is_null());
        filled.map(|document| reader.project(self.fill_in(document)?)).collect()
    }

    fn fill_in(&self, mut document: Node) -> Result<Node> {
        if let Some(variables) = self.variables {
            interpolate(&mut document, variables)?;
        }
        Ok(document)
    }

    fn document(&self, mut document: Node, file: &str, stack: &[String]) -> Result<Node> {
        if let Some(version) = document.as_map_mut().and_then(|map| map.remove("version")) {
            let file = &version.place.file;
            self.warnings.borrow_mut().push(format!(
                "{file}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"
            ));
        }
        extends::apply(self, &mut document, file)?;
        let included = document.as_map_mut().and_then(|map| map.remove("include"));
        match included {
            Some(list) => include::apply(self, document, list, file, stack),
            None => Ok(document),
        }
    }

    /// The folder that a file's `extends` are relative to.
    pub(super) fn directory(&self) -> &FilePath {
        &self.directory
    }
}

/// A whole file, as far as it is text of a sensible length.
pub(super) fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file is larger than 16 MiB"));
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "file is not text (UTF-8)"))
}

/// An empty mapping.
pub(super) fn nothing() -> Node {
    Node { value: Value::Map(Map::new()), ..node_of_nothing() }
}
