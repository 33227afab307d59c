//! Here-documents: `<<EOF`, `<<-EOF`, `3<<"EOF"`.

use super::words;

/// A document that stands in the Dockerfile behind its instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    pub name: String,
    /// Each line with its newline, as it stands there: a shell that reads the document itself also takes its tabs away.
    pub content: String,
    /// Whether variables in it are expanded: unless the name was quoted.
    pub expand: bool,
    /// `<<-`
    pub chomp: bool,
    /// The descriptor that a shell is to read it from.
    pub descriptor: u32,
}

impl Heredoc {
    /// What the document says: of a chomped one without leading tabs.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        let lines = self.content.split_inclusive('\n');
        lines.map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// Whether the instruction takes any.
pub(super) fn may_follow(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_ascii_lowercase);
    let mut keyword = words.next();
    if keyword.as_deref() == Some("onbuild") {
        keyword = words.next();
    }
    matches!(keyword.as_deref(), Some("add" | "copy" | "run"))
}

/// Those that the line asks for, still empty.
pub(super) fn find(text: &str, escape: char) -> Vec<Heredoc> {
    words::split(text, escape).iter().filter_map(|word| parse(word)).collect()
}

/// Whether the word is one, and of which name.
pub(super) fn parse(word: &str) -> Option<Heredoc> {
    let (descriptor, rest) = word.split_once("<<")?;
    let descriptor = match descriptor {
        "" => 0,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    let (chomp, quoted) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let name: String = quoted.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    if name.is_empty() || quoted.contains('<') {
        return None;
    }
    let expand = name == quoted;
    Some(Heredoc { name, content: String::new(), expand, chomp, descriptor })
}
