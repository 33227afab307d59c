//! Parser directives: comments at the very top, `# key=value`, that change how the rest is read.

use super::error::SyntaxError;

/// What the top of the file says; the last three are `None` where it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// The character that continues lines and escapes others: `\`, or a backtick for the sake of Windows paths.
    pub escape: char,
    /// The image of another front end.
    pub syntax: Option<String>,
    /// `skip=RULE,...;error=true`
    pub check: Option<String>,
}

impl Default for Directives {
    fn default() -> Self {
        Self { escape: '\\', syntax: None, check: None }
    }
}

impl Directives {
    /// Ends at the first line that is none: an ordinary comment, an empty line, an instruction.
    pub(super) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut directives = Self::default();
        let mut seen = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let Some((key, value)) = split(line) else { break };
            if !["escape", "syntax", "check"].contains(&key.as_str()) {
                break;
            }
            if seen.contains(&key) {
                let message = format!("only one {key} parser directive can be used");
                return Err(SyntaxError::new(number, message));
            }
            directives.set(&key, value).map_err(|message| SyntaxError::new(number, message))?;
            seen.push(key);
        }
        Ok(directives)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match (key, value) {
            ("escape", "\\") => self.escape = '\\',
            ("escape", "`") => self.escape = '`',
            ("escape", _) => {
                return Err(format!("invalid escape token '{value}' does not match ` or \\"));
            }
            ("syntax", _) => self.syntax = Some(value.to_owned()),
            _ => self.check = Some(value.to_owned()),
        }
        Ok(())
    }
}

/// The key in lower case.
fn split(line: &str) -> Option<(String, &str)> {
    let (key, value) = line.trim().strip_prefix('#')?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let starts_well = key.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_key = starts_well && key.chars().all(|c| c.is_ascii_alphanumeric());
    (is_key && !value.is_empty()).then(|| (key.to_ascii_lowercase(), value))
}
