//! `include`: another project's files, read with its own directory and variables, beneath this one's.

use std::path::{Path as FilePath, PathBuf};

use super::source::{self, Source};
use super::{absolute, environment, paths};
use crate::error::{Error, Result};
use crate::interpolate::Environment;
use crate::merge;
use crate::yaml::{Node, Value};

/// Includes within includes.
const MOST_DEPTH: usize = 30;

const SECTIONS: [&str; 5] = ["services", "networks", "volumes", "secrets", "configs"];

pub(super) fn apply(
    source: &Source<'_>,
    document: Node,
    list: Node,
    file: &str,
    stack: &[String],
) -> Result<Node> {
    let mut stack = stack.to_vec();
    stack.push(file.to_owned());
    if stack.len() > MOST_DEPTH {
        return Err(Error::Invalid(format!("{}: includes are nested too deeply", list.place)));
    }
    let mut whole = document;
    for entry in list.as_list().into_iter().flatten() {
        let included = one(source, entry, &stack)?;
        whole = beneath(whole, included, entry)?;
    }
    Ok(whole)
}

fn one(source: &Source<'_>, entry: &Node, stack: &[String]) -> Result<Node> {
    let base = source.directory();
    let files: Vec<String> =
        texts(entry, "path").iter().map(|path| local(entry, path, base)).collect::<Result<_>>()?;
    if let Some(again) = files.iter().find(|file| stack.contains(file)) {
        let chain = stack.join("\n include ");
        return Err(Error::Invalid(format!("include cycle detected:\n{chain}\n include {again}")));
    }
    let first = files
        .first()
        .ok_or_else(|| Error::Invalid(format!("{}: include needs a path", entry.place)))?;
    let directory = match entry.get("project_directory").and_then(Node::as_str) {
        Some(said) => PathBuf::from(absolute(said, base)),
        None => FilePath::new(first).parent().map(PathBuf::from).unwrap_or_default(),
    };
    let mut tree = match source.variables {
        None => with_variables(source, None, &directory, &files, stack)?,
        Some(outer) => {
            let values = variables(outer, entry, base, &directory)?;
            let inner = Environment::new(&values);
            let tree = with_variables(source, Some(&inner), &directory, &files, stack)?;
            outer.missing.borrow_mut().extend(inner.missing.take());
            outer.cautions.borrow_mut().extend(inner.cautions.take());
            tree
        }
    };
    merge::drop_resets(&mut tree);
    paths::resolve(
        &mut tree,
        &directory,
        source.variables.map_or(&Default::default(), |outer| outer.values),
    );
    Ok(tree)
}

fn with_variables(
    outer: &Source<'_>,
    variables: Option<&Environment<'_>>,
    directory: &FilePath,
    files: &[String],
    stack: &[String],
) -> Result<Node> {
    let inner = Source {
        variables,
        directory: directory.to_owned(),
        stdin: None,
        warnings: Default::default(),
    };
    let tree = inner.files_included_by(files, stack)?;
    outer.warnings.borrow_mut().extend(inner.warnings.take());
    Ok(tree)
}

/// The including project's variables, and beneath them those of the entry's own files.
fn variables(
    outer: &Environment<'_>,
    entry: &Node,
    base: &FilePath,
    directory: &FilePath,
) -> Result<std::collections::BTreeMap<String, String>> {
    let said = texts(entry, "env_file");
    let files: Vec<String> = match said.is_empty() {
        false => said.iter().map(|file| absolute(file, base)).collect(),
        true => environment::default(directory).into_iter().collect(),
    };
    let mut values = outer.values.clone();
    for (name, value) in environment::read(&files, outer.values)? {
        values.entry(name).or_insert(value);
    }
    Ok(values)
}

/// A remote file could ask for the host's root; only what is on this machine is included.
fn local(entry: &Node, path: &str, base: &FilePath) -> Result<String> {
    let is_remote =
        path.contains("://") || path.starts_with("git@") || path.starts_with("github.com/");
    if is_remote {
        return Err(Error::Invalid(format!(
            "{}: include {path}: remote files are refused: what they say runs with the engine's rights",
            entry.place
        )));
    }
    Ok(absolute(path, base))
}

fn texts(entry: &Node, key: &str) -> Vec<String> {
    let list = entry.get(key).and_then(Node::as_list);
    list.into_iter().flatten().filter_map(Node::scalar).collect()
}

/// What is included may not be declared again with another meaning.
fn beneath(mut whole: Node, included: Node, entry: &Node) -> Result<Node> {
    let Value::Map(sections) = included.value else { return Ok(whole) };
    for (name, section) in sections {
        if !SECTIONS.contains(&name.as_str()) {
            continue;
        }
        let Some(map) = whole.as_map_mut() else { return Ok(whole) };
        let own = map.entry(name.clone()).or_insert_with(source::nothing);
        let (Some(own), Value::Map(included)) = (own.as_map_mut(), section.value) else { continue };
        for (key, value) in included {
            match own.get(&key) {
                Some(same) if same.to_json() != value.to_json() => {
                    return Err(Error::Invalid(format!(
                        "{}: {name}.{key} conflicts with imported resource",
                        entry.place
                    )));
                }
                _ => drop(own.insert(key, value)),
            }
        }
    }
    Ok(whole)
}
