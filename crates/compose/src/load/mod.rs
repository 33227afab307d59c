//! From files, flags and variables to one project.
//!
//! A file is parsed, its variables replaced, read by the specification's tables and, service by service, put over what it
//! extends; files are merged in their order, includes beneath them; then paths become absolute, defaults are filled in,
//! and what does not go together is refused.

mod check;
mod environment;
mod extends;
mod files;
mod include;
mod name;
mod normalise;
mod paths;
mod profiles;
mod publish;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};

use crate::error::{Error, Result};
use crate::interpolate::{self, Environment, Variable};
use crate::merge;
use crate::yaml::{Map, Node, Value};

pub use publish::{Publication, publication};
use source::Source;

/// What a user said about which project is meant, and how far it is to be worked out.
#[derive(Debug, Clone)]
pub struct Options {
    /// `-f`; `-` is `stdin`.
    pub files: Vec<String>,
    pub stdin: Option<String>,
    /// `-p`
    pub project_name: Option<String>,
    pub project_directory: Option<PathBuf>,
    pub env_files: Vec<String>,
    pub profiles: Vec<String>,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
    /// Where the process is.
    pub directory: PathBuf,
    /// Services that are asked for; with none, all of the profiles in force.
    pub services: Vec<String>,
    /// Services whose profiles are in force because they are named; others stay as they are.
    pub wanted: Vec<String>,
    pub interpolate: bool,
    pub normalize: bool,
    pub resolve_paths: bool,
    pub check: bool,
}

impl Options {
    /// Everything worked out, with files found from a directory upwards.
    pub fn new(directory: PathBuf, environment: BTreeMap<String, String>) -> Self {
        Self {
            files: Vec::new(),
            stdin: None,
            project_name: None,
            project_directory: None,
            env_files: Vec::new(),
            profiles: Vec::new(),
            environment,
            directory,
            services: Vec::new(),
            wanted: Vec::new(),
            interpolate: true,
            normalize: true,
            resolve_paths: true,
            check: true,
        }
    }
}

/// A project in its long form.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub name: String,
    pub directory: PathBuf,
    /// Absolute.
    pub files: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// What a user should know; each once, in the order of their making.
    pub warnings: Vec<String>,
    /// Those that any service names.
    pub profiles: BTreeSet<String>,
    /// Names of services that profiles leave out.
    pub disabled: BTreeSet<String>,
    pub(crate) tree: Node,
    pub(crate) interpolated: bool,
}

pub fn load(options: &Options) -> Result<Loaded> {
    let found = files::find(options)?;
    let mut warnings = found.warnings;
    let mut environment = found.environment;
    let named = source::name(&found.files, options.stdin.as_deref(), &environment)?;
    let name = name::of(options, &environment, named.as_deref(), &found.directory)?;
    environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
    let variables = Environment::new(&environment);
    let source = Source {
        variables: options.interpolate.then_some(&variables),
        directory: found.directory.clone(),
        stdin: options.stdin.as_deref(),
        warnings: Default::default(),
    };
    let mut tree = source.files(&found.files)?;
    warnings.extend(
        variables
            .missing
            .take()
            .into_iter()
            .map(|name| format!("The {name:?} variable is not set. Defaulting to a blank string.")),
    );
    warnings.extend(variables.cautions.take());
    warnings.extend(source.warnings.take());
    merge::drop_resets(&mut tree);
    if options.resolve_paths {
        paths::resolve(&mut tree, &found.directory, &environment);
    }
    let mut loaded = Loaded {
        name,
        directory: found.directory,
        files: found.files,
        environment,
        warnings,
        profiles: profiles::named(&tree),
        disabled: BTreeSet::new(),
        interpolated: options.interpolate,
        tree,
    };
    finish(&mut loaded, options)?;
    Ok(loaded)
}

/// The variables that the files mention, before any is replaced.
pub fn variables(options: &Options) -> Result<BTreeMap<String, Variable>> {
    let found = files::find(options)?;
    let source = Source {
        variables: None,
        directory: found.directory.clone(),
        stdin: options.stdin.as_deref(),
        warnings: Default::default(),
    };
    Ok(interpolate::variables(&source.files(&found.files)?))
}

/// What needs the whole project: profiles, defaults, and whether its parts go together.
fn finish(loaded: &mut Loaded, options: &Options) -> Result {
    set_name(&mut loaded.tree, &loaded.name);
    profiles::apply(loaded, options)?;
    if options.check {
        check::values(&loaded.tree)?;
    }
    if options.normalize {
        let warnings = normalise::normalise(&mut loaded.tree, &loaded.name, &loaded.environment);
        loaded.warnings.extend(warnings);
    }
    if options.check {
        check::references(&loaded.tree)?;
    }
    normalise::resolve_environment(&mut loaded.tree, &loaded.environment)?;
    profiles::drop_unused(&mut loaded.tree);
    profiles::select(loaded, options)
}

fn set_name(tree: &mut Node, name: &str) {
    let node = tree.text(name);
    if let Some(map) = tree.as_map_mut() {
        map.insert("name".to_owned(), node);
        map.entry("services".to_owned())
            .or_insert_with(|| Node { value: Value::Map(Map::new()), ..node_of_nothing() });
    }
}

fn node_of_nothing() -> Node {
    Node::new(Value::Null, crate::yaml::Place::nowhere())
}

/// The services of a tree.
pub(crate) fn services(tree: &Node) -> impl Iterator<Item = (&String, &Node)> {
    section(tree, "services")
}

/// What a tree declares in one of its sections.
pub(crate) fn section<'a>(
    tree: &'a Node,
    name: &str,
) -> impl Iterator<Item = (&'a String, &'a Node)> {
    let map = tree.get(name).and_then(Node::as_map);
    map.into_iter().flatten().filter(|(name, _)| !name.starts_with("x-"))
}

fn section_mut<'a>(
    tree: &'a mut Node,
    name: &str,
) -> impl Iterator<Item = (&'a String, &'a mut Node)> {
    let map = tree.as_map_mut().and_then(|map| map.get_mut(name)).and_then(Node::as_map_mut);
    map.into_iter().flatten().filter(|(name, _)| !name.starts_with("x-"))
}

/// A path as its parts say, without asking the file system.
fn clean(path: &FilePath) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.parent().is_some() => drop(out.pop()),
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

fn absolute(path: &str, base: &FilePath) -> String {
    clean(&base.join(path)).to_string_lossy().into_owned()
}

fn inconsistent<T>(why: String) -> Result<T> {
    Err(Error::Inconsistent(why))
}
