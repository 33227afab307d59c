//! Rules about the tree that the compiler cannot see. The map in docs/architecture.md is the source:
//! its table names every crate and what it may use.

mod threats;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Result, shell};

/// What each crate may depend on, by name.
type Edges = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn run() -> Result {
    let map = map(&shell::workspace().join("docs/architecture.md"))?;
    let mut broken = map_against_folders(&map)?;
    broken.extend(layer_rule(&map, &actual_edges()?));
    broken.extend(host_tools(&shell::workspace().join("crates"))?);
    broken.extend(verbs::check(&shell::workspace().join("crates"))?);
    broken.extend(threats::check(&shell::workspace())?);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// Rows of the form `| L1 | store | what | sys, oci |`.
fn map(path: &Path) -> Result<Edges> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let edges: Edges = text.lines().filter_map(row).collect();
    if edges.is_empty() {
        return Err(format!("{}: no table of crates", path.display()));
    }
    Ok(edges)
}

fn row(line: &str) -> Option<(String, BTreeSet<String>)> {
    let cells: Vec<&str> =
        line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [layer, name, _what, may_use] = cells[..] else { return None };
    if matches!(layer, "layer") || layer.starts_with('-') {
        return None;
    }
    let name = name.split_whitespace().next()?.to_owned();
    let may_use = may_use.split(',').map(str::trim).filter(|s| !s.is_empty());
    Some((name, may_use.map(str::to_owned).collect()))
}

fn map_against_folders(map: &Edges) -> Result<Vec<String>> {
    let root = shell::workspace();
    let mut folders = BTreeSet::from(["tests".to_owned(), "xtask".to_owned()]);
    for entry in fs::read_dir(root.join("crates")).map_err(|e| format!("crates: {e}"))? {
        let entry = entry.map_err(|e| format!("crates: {e}"))?;
        if entry.path().join("Cargo.toml").exists() {
            folders.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let mapped: BTreeSet<String> = map.keys().cloned().collect();
    let off_map = folders
        .difference(&mapped)
        .map(|f| format!("{f} is not on the map in docs/architecture.md"));
    let gone =
        mapped.difference(&folders).map(|f| format!("the map names {f}, which is no folder"));
    Ok(off_map.chain(gone).collect())
}

fn layer_rule(map: &Edges, actual: &Edges) -> Vec<String> {
    let nothing = BTreeSet::new();
    let mut broken = Vec::new();
    for (name, uses) in actual {
        let allowed = map.get(name).unwrap_or(&nothing);
        for other in uses.difference(allowed) {
            broken.push(format!("{name} depends on {other}: the map does not allow this edge"));
        }
    }
    broken
}

/// Dependencies between the workspace's own packages; tests and build scripts may use what they like.
fn actual_edges() -> Result<Edges> {
    let text =
        shell::output(shell::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    Ok(packages.iter().map(|package| (folder(package), path_dependencies(package))).collect())
}

fn folder(package: &Value) -> String {
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
    let dir = manifest.parent().and_then(Path::file_name).unwrap_or_default();
    dir.to_string_lossy().into_owned()
}

fn path_dependencies(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|d| d["kind"].is_null() && d["path"].is_string())
        .filter_map(|d| d["name"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The product talks to the kernel itself: forking a tool costs more than the whole budget of a start.
const HOST_TOOLS: [&str; 9] =
    ["nft", "ip", "iptables", "tar", "gzip", "mount", "umount", "cp", "rm"];

fn host_tools(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))? {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        let is_test_code =
            path.ends_with("tests") || path.ends_with("testkit") || path.ends_with("tests.rs");
        if is_test_code {
            continue;
        }
        if path.is_dir() {
            found.extend(host_tools(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let called =
                HOST_TOOLS.iter().filter(|t| product.contains(&format!("Command::new(\"{t}\")")));
            found.extend(called.map(|tool| format!("{}: runs {tool}", path.display())));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_follows_its_own_rules() {
        assert_eq!(run(), Ok(()));
    }

    #[test]
    fn an_edge_that_the_map_does_not_allow_is_named() {
        let edge =
            |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|&s| s.to_owned()).collect());
        let map = Edges::from([edge("cli", &["client"]), edge("client", &[])]);
        let actual = Edges::from([edge("cli", &["client"]), edge("client", &["store"])]);
        let expected = "client depends on store: the map does not allow this edge";
        assert_eq!(layer_rule(&map, &actual), [expected]);
    }

    #[test]
    fn rows_of_the_map_are_read_and_its_heading_is_not() {
        let edge = row("| L4 | cli | bin `gantry` | client, api |").unwrap();
        assert_eq!(edge.0, "cli");
        assert_eq!(edge.1.into_iter().collect::<Vec<_>>(), ["api", "client"]);
        assert_eq!(row("| layer | crate | what it is | may use |"), None);
        assert_eq!(row("|---|---|---|---|"), None);
    }
}
