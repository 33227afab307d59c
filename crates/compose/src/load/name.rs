//! The name of a project: `-p`, else `COMPOSE_PROJECT_NAME`, else the file's `name`, else that of its folder.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use super::Options;
use crate::error::{Error, Result};

pub(super) fn of(
    options: &Options,
    environment: &BTreeMap<String, String>,
    said_by_files: Option<&str>,
    directory: &FilePath,
) -> Result<String> {
    let set = |name: Option<&String>| name.filter(|name| !name.is_empty()).cloned();
    let said =
        set(options.project_name.as_ref()).or_else(|| set(environment.get("COMPOSE_PROJECT_NAME")));
    if let Some(name) = said {
        return checked(name);
    }
    let folder = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = said_by_files.filter(|name| !name.is_empty());
    let name = normalise(named.or(folder.as_deref()).unwrap_or_default());
    if name.is_empty() {
        return Err(Error::Usage("project name must not be empty".to_owned()));
    }
    Ok(name)
}

/// A name that somebody gave is not changed behind their back.
fn checked(name: String) -> Result<String> {
    if normalise(&name) == name {
        return Ok(name);
    }
    Err(Error::Usage(format!(
        "invalid project name {name:?}: must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number"
    )))
}

fn normalise(name: &str) -> String {
    let kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let name: String = name.to_lowercase().chars().filter(kept).collect();
    name.trim_start_matches(['-', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_is_made_to_fit() {
        assert_eq!(normalise("My App (2)"), "myapp2");
        assert_eq!(normalise("_-x_y-"), "x_y-");
    }

    #[test]
    fn a_given_name_must_fit_itself() {
        assert!(checked("a-b_1".to_owned()).is_ok());
        for bad in ["A", "-a", "a b", "a.b"] {
            assert!(
                checked(bad.to_owned())
                    .unwrap_err()
                    .to_string()
                    .starts_with("invalid project name")
            );
        }
    }
}
