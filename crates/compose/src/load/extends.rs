//! `extends`: a service begins with what another says, of the same file or of another one.

use std::path::{Path as FilePath, PathBuf};

use super::source::Source;
use super::{absolute, paths};
use crate::error::{Error, Result};
use crate::merge;
use crate::path::Path;
use crate::yaml::{Map, Node};

/// Services on the way to the one that is looked at, with their files.
type Stack = Vec<(String, String)>;

/// Where services are looked up.
struct Place<'a> {
    file: &'a str,
    /// What paths in the file are relative to.
    directory: &'a FilePath,
    /// Whether that is another one than the project's, so that paths must be made absolute on the way.
    is_foreign: bool,
}

/// Replaces each service that extends another by both together.
pub(super) fn apply(source: &Source<'_>, document: &mut Node, file: &str) -> Result {
    let Some(services) = services_mut(document) else { return Ok(()) };
    let place = Place { file, directory: source.directory(), is_foreign: false };
    let names: Vec<String> = services.keys().cloned().collect();
    for name in names {
        if services[&name].get("extends").is_some() {
            let extended = resolve(source, services, &place, &name, &mut Stack::new())?;
            services.insert(name, extended);
        }
    }
    Ok(())
}

fn services_mut(document: &mut Node) -> Option<&mut Map> {
    document.as_map_mut()?.get_mut("services")?.as_map_mut()
}

/// A service with all that it extends.
fn resolve(
    source: &Source<'_>,
    services: &Map,
    place: &Place<'_>,
    name: &str,
    stack: &mut Stack,
) -> Result<Node> {
    let mut service = services[name].clone();
    if place.is_foreign {
        paths::resolve_service(&mut service, place.directory);
    }
    let Some(extends) = service.as_map_mut().and_then(|map| map.remove("extends")) else {
        return Ok(service);
    };
    let step = (place.file.to_owned(), name.to_owned());
    if stack.contains(&step) {
        return Err(circular(stack, &step));
    }
    stack.push(step);
    let said = |key: &str| extends.get(key).and_then(Node::as_str);
    let wanted = said("service").unwrap_or_default().to_owned();
    let base = match said("file") {
        None => {
            let whole = format!("service {wanted:?} not found");
            require(services, &wanted, || not_found(&extends, name, place.file, &whole))?;
            resolve(source, services, place, &wanted, stack)?
        }
        Some(file) => {
            let file = absolute(file, place.directory);
            from_file(source, &file, &wanted, &extends, (name, place.file), stack)?
        }
    };
    stack.pop();
    Ok(merge::extend(base, service, &Path::root().join("services").join(name)))
}

fn from_file(
    source: &Source<'_>,
    file: &str,
    wanted: &str,
    extends: &Node,
    (name, from): (&str, &str),
    stack: &mut Stack,
) -> Result<Node> {
    let documents = source.documents(file)?;
    let merged = documents.into_iter().reduce(merge::merge);
    let mut merged = merged.ok_or_else(|| Error::Invalid("empty compose file".to_owned()))?;
    let none = || not_found(extends, name, file, "no services section");
    let services = services_mut(&mut merged).ok_or_else(none)?;
    let whole = format!("service {wanted:?} not found in {file}");
    require(services, wanted, || not_found(extends, name, from, &whole))?;
    let directory = FilePath::new(file).parent().map(PathBuf::from).unwrap_or_default();
    let place = Place { file, directory: &directory, is_foreign: true };
    resolve(source, services, &place, wanted, stack)
}

fn require(services: &Map, name: &str, missing: impl FnOnce() -> Error) -> Result {
    if services.contains_key(name) { Ok(()) } else { Err(missing()) }
}

fn not_found(extends: &Node, name: &str, file: &str, why: &str) -> Error {
    Error::Invalid(format!("{}: cannot extend service {name:?} in {file}: {why}", extends.place))
}

fn circular(stack: &Stack, step: &(String, String)) -> Error {
    let mut text = "Circular reference:".to_owned();
    for (at, (file, service)) in stack.iter().chain([step]).enumerate() {
        let link = if at == 0 { "" } else { "extends " };
        text += &format!("\n  {link}{service} in {file}");
    }
    Error::Invalid(text)
}
