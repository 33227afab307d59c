//! The `check` directive: `skip=RULE,...;error=true;experimental=RULE,...`.

use super::rules::Rule;

/// Which rules are asked, and whether a finding fails the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    skip: Vec<String>,
    experimental: Vec<String>,
    pub error: bool,
}

impl Options {
    /// # Errors
    /// A key or a value that the directive does not have.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) =
                part.split_once('=').ok_or_else(|| format!("invalid check option {part:?}"))?;
            let names = || value.split(',').map(|name| name.trim().to_owned()).collect();
            match (key.trim(), value.trim()) {
                ("skip", _) => options.skip = names(),
                ("experimental", _) => options.experimental = names(),
                ("error", "true" | "1") => options.error = true,
                ("error", "false" | "0") => options.error = false,
                ("error", _) => return Err(format!("failed to parse check option {part:?}")),
                (key, _) => return Err(format!("invalid check option {key:?}")),
            }
        }
        Ok(options)
    }

    pub(super) fn wants(&self, rule: &Rule) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == "all" || name == rule.name);
        !names(&self.skip) && (!rule.experimental || names(&self.experimental))
    }
}
