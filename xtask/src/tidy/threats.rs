//! docs/threats.md names the tests that stand for its claims: each must be in the tree, so that the list cannot go stale.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::Result;

/// What docs/threats.md names and the tree does not have.
pub(super) fn check(workspace: &Path) -> Result<Vec<String>> {
    let list = workspace.join("docs/threats.md");
    let text = fs::read_to_string(&list).map_err(|e| format!("{}: {e}", list.display()))?;
    let mut tests = BTreeSet::new();
    for folder in ["crates", "tests"] {
        collect_tests(&workspace.join(folder), &mut tests)?;
    }
    let named = named_tests(&text);
    if named.is_empty() {
        return Err(format!("{}: no table of tests", list.display()));
    }
    let gone = named.into_iter().filter(|name| !tests.contains(*name));
    Ok(gone.map(|name| format!("docs/threats.md names {name}, which is no test")).collect())
}

/// What stands between backticks in the last cell of a row of three.
fn named_tests(text: &str) -> BTreeSet<&str> {
    let cells = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
        let [_threat, _defence, tests] = cells[..] else { return None };
        Some(tests)
    });
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

fn collect_tests(dir: &Path, tests: &mut BTreeSet<String>) -> Result {
    for entry in fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))? {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if path.is_dir() {
            collect_tests(&path, tests)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            tests.extend(tests_in(&text).map(str::to_owned));
        }
    }
    Ok(())
}

/// Functions right after a test attribute, further attributes between them allowed.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            return None;
        }
        if !std::mem::take(&mut is_test) {
            return None;
        }
        line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?.split('(').next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_threats_names_tests_and_only_tests_count() {
        let list = "| a `word` | b | `one`, `two` |\n| CVE-1 | part |\nelse `three`\n";
        assert_eq!(named_tests(list), BTreeSet::from(["one", "two"]));
        let code =
            "#[test]\nfn one() {}\nfn helper() {}\n#[tokio::test]\n#[ignore]\nasync fn two() {}\n";
        assert_eq!(tests_in(code).collect::<Vec<_>>(), ["one", "two"]);
    }
}
