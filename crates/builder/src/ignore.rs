//! `.dockerignore`: which files of a context are not there for the build.

use crate::glob::Glob;

/// The rules in their order: the last that matches decides.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    glob: Glob,
    /// Where the pattern leads, folder by folder, as far as that is plain; to know what may lie below one.
    folders: Vec<Glob>,
    /// `!pattern`: there after all.
    exception: bool,
}

impl Ignore {
    /// # Errors
    /// A pattern that is malformed, named.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        let rules = lines.filter(|line| !line.is_empty()).map(Rule::parse);
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether the build does not see the path, which is relative to the context: `a/b`. What lies in a folder that is
    /// ignored is ignored too.
    pub fn is_ignored(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            // The others would not change it.
            if rule.exception == ignored && rule.matches(path) {
                ignored = !rule.exception;
            }
        }
        ignored
    }

    /// Whether something in a folder that is ignored may be there after all.
    pub fn may_hold_exceptions(&self, folder: &str) -> bool {
        self.rules.iter().filter(|rule| rule.exception).any(|rule| rule.may_match_below(folder))
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Self, String> {
        let (exception, pattern) = match line.strip_prefix('!') {
            Some(pattern) => (true, pattern.trim()),
            None => (false, line),
        };
        if exception && pattern.is_empty() {
            return Err("illegal exclusion pattern: \"!\"".into());
        }
        let pattern = clean(pattern);
        let wrong = |why| format!("failed to match patterns {pattern:?}: {why}");
        let glob = Glob::of_path(&pattern).map_err(wrong)?;
        let plain = pattern.split('/').take_while(|name| !name.contains("**"));
        let folders = plain.map(Glob::of_path).collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self { glob, folders, exception })
    }

    /// The path itself or a folder above it.
    fn matches(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        folders.chain([path]).any(|part| self.glob.matches(part))
    }

    /// Names that are beyond the plain part of the pattern may be anything.
    fn may_match_below(&self, folder: &str) -> bool {
        folder.split('/').zip(&self.folders).all(|(name, glob)| glob.matches(name))
    }
}

/// Like Go's `filepath.Clean`, without the slash at the start.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            // Nothing is above the root.
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".into() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_decides() {
        let ignore = Ignore::parse(
            "\u{feff}# comment\n\n*.md\n  !README*.md  \nREADME-secret.md\n/build/\n**/node_modules\n!a/node_modules/keep\n",
        )
        .unwrap();
        for (path, ignored) in [
            ("x.md", true),
            ("docs/x.md", false),
            ("README.md", false),
            ("README-secret.md", true),
            ("build", true),
            ("build/a/b", true),
            ("rebuild", false),
            ("a/node_modules/x", true),
            ("a/node_modules/keep", false),
            ("a/node_modules/keep/x", false),
            ("# comment", false),
        ] {
            assert_eq!(ignore.is_ignored(path), ignored, "{path}");
        }
        assert!(ignore.may_hold_exceptions("a/node_modules"));
        assert!(!ignore.may_hold_exceptions("b/node_modules"));
        assert!(!ignore.may_hold_exceptions("build"));
    }

    #[test]
    fn everything_may_be_ignored_but_some() {
        let ignore = Ignore::parse("*\n!src\n!**/*.toml\n").unwrap();
        for (path, ignored) in
            [("a", true), ("src", false), ("src/x", false), ("x/Cargo.toml", false), ("x/y", true)]
        {
            assert_eq!(ignore.is_ignored(path), ignored, "{path}");
        }
        assert!(ignore.may_hold_exceptions("x"));
    }

    #[test]
    fn patterns_are_cleaned_and_broken_ones_named() {
        for (pattern, cleaned) in [
            ("/a/b/", "a/b"),
            ("./a//b", "a/b"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("/../a", "a"),
            (".", "."),
        ] {
            assert_eq!(clean(pattern), cleaned, "{pattern}");
        }
        assert!(Ignore::parse("a\n[\n").unwrap_err().contains("\"[\""));
        assert_eq!(Ignore::parse("!\n").unwrap_err(), "illegal exclusion pattern: \"!\"");
    }
}
