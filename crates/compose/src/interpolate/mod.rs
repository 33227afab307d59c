//! Variables in the values of a tree, and the types that their attributes want of the texts that result.

mod cast;
mod template;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::path::Path;
use crate::yaml::{Node, Value};

use template::Refusal;

pub use template::Variable;
pub(crate) use template::substitute;

/// Where values come from.
pub(crate) trait Variables {
    fn get(&self, name: &str) -> Option<String>;
    /// Called for one that is used and has no value.
    fn missing(&self, _name: &str) {}
    /// Called for what a user should know.
    fn caution(&self, _text: String) {}
}

impl Variables for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        BTreeMap::get(self, name).cloned()
    }
}

/// Replaces the variables in all texts below a node. Keys are left as they are.
pub(crate) fn interpolate(tree: &mut Node, variables: &dyn Variables) -> Result {
    walk(tree, &Path::root(), &mut |node, path| replace(node, path, variables))
}

/// The variables that a tree mentions.
pub(crate) fn variables(tree: &Node) -> BTreeMap<String, Variable> {
    let mut found = BTreeMap::new();
    collect(tree, &mut found);
    found
}

fn collect(node: &Node, found: &mut BTreeMap<String, Variable>) {
    match &node.value {
        Value::Text(text) => {
            let named = |variable: Variable| (variable.name.clone(), variable);
            found.extend(template::mentioned(text).into_iter().map(named));
        }
        Value::List(list) => list.iter().for_each(|item| collect(item, found)),
        Value::Map(map) => map.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

fn walk(node: &mut Node, path: &Path, visit: &mut dyn FnMut(&mut Node, &Path) -> Result) -> Result {
    match &mut node.value {
        Value::List(list) => {
            list.iter_mut().try_for_each(|item| walk(item, &path.join("[]"), visit))
        }
        Value::Map(map) => {
            map.iter_mut().try_for_each(|(key, value)| walk(value, &path.join(key), visit))
        }
        Value::Text(_) => visit(node, path),
        _ => Ok(()),
    }
}

fn replace(node: &mut Node, path: &Path, variables: &dyn Variables) -> Result {
    let Some(text) = node.as_str() else { return Ok(()) };
    let replaced = substitute(text, variables).map_err(|refusal| match refusal {
        Refusal::Invalid => Error::Template {
            place: node.place.clone(),
            path: path.to_string(),
            template: text.to_owned(),
        },
        Refusal::Missing(why) => {
            Error::Interpolation { place: node.place.clone(), path: path.to_string(), why }
        }
    })?;
    give_type(node, path, replaced, variables)
}

fn give_type(node: &mut Node, path: &Path, text: String, variables: &dyn Variables) -> Result {
    let said = text.clone();
    node.value = cast::cast(path, text).map_err(|why| Error::Interpolation {
        place: node.place.clone(),
        path: path.to_string(),
        why: format!("failed to cast to expected type: {why}"),
    })?;
    if let Value::Bool(truth) = node.value
        && !said.eq_ignore_ascii_case(&truth.to_string())
    {
        variables.caution(format!(
            "{said:?} for boolean is not supported by YAML 1.2, please use `{truth}`"
        ));
    }
    Ok(())
}

/// The environment of a project, which says once of each variable that it is missing.
pub(crate) struct Environment<'a> {
    pub(crate) values: &'a BTreeMap<String, String>,
    pub(crate) missing: RefCell<BTreeSet<String>>,
    pub(crate) cautions: RefCell<Vec<String>>,
}

impl<'a> Environment<'a> {
    pub(crate) fn new(values: &'a BTreeMap<String, String>) -> Self {
        Self { values, missing: RefCell::default(), cautions: RefCell::default() }
    }
}

impl Variables for Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    fn missing(&self, name: &str) {
        self.missing.borrow_mut().insert(name.to_owned());
    }

    fn caution(&self, text: String) {
        self.cautions.borrow_mut().push(text);
    }
}
