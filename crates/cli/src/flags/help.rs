//! The options part of a help text, laid out as pflag lays it out.

use super::{Flag, Kind};

/// Narrower than this, descriptions go on lines of their own.
const SENSIBLE: usize = 24;
/// A last word may stick out this far rather than stand alone on a line.
const SLOP: usize = 5;

/// `--help` itself is listed where `-h` means something else.
const HELP: Flag = Flag::bool("help", "Print usage");

/// The flags that help lists, sorted by name.
pub(crate) fn listed<'a>(tables: &[&'a [Flag]]) -> Vec<&'a Flag> {
    let mut shown: Vec<&Flag> =
        tables.iter().flat_map(|table| table.iter()).filter(|flag| !flag.hidden).collect();
    if shown.iter().any(|flag| flag.short == Some('h')) {
        shown.push(&HELP);
    }
    shown.sort_by_key(|flag| flag.long);
    shown
}

/// One line (or more, wrapped to `width` columns) per flag. `default` is what it says of a flag's default.
pub(crate) fn usages(
    tables: &[&[Flag]],
    width: usize,
    default: impl Fn(&Flag) -> String,
) -> String {
    let shown = listed(tables);
    let heads: Vec<String> = shown.iter().map(|flag| head(flag)).collect();
    let longest = heads.iter().map(String::len).max().unwrap_or_default();
    let indent = longest + 3;
    let mut out = String::new();
    for (flag, head) in shown.iter().zip(&heads) {
        let text = wrap(&description(flag, &default(flag)), indent, width);
        out.push_str(format!("{head:longest$}   {text}").trim_end());
        out.push('\n');
    }
    out
}

fn head(flag: &Flag) -> String {
    let name = match flag.short {
        Some(short) => format!("  -{short}, --{}", flag.long),
        None => format!("      --{}", flag.long),
    };
    if flag.type_name.is_empty() { name } else { format!("{name} {}", flag.type_name) }
}

/// What it does and its default.
pub(crate) fn description(flag: &Flag, default: &str) -> String {
    match (default, flag.kind) {
        ("" | "false", _) => flag.help.to_owned(),
        (default, Kind::One) if flag.type_name == "string" => {
            format!("{} (default {default:?})", flag.help)
        }
        (default, _) => format!("{} (default {default})", flag.help),
    }
}

fn wrap(text: &str, indent: usize, width: usize) -> String {
    let (indent, first) = match width.checked_sub(indent) {
        Some(room) if room >= SENSIBLE => (indent, String::new()),
        _ => (16, format!("\n{}", " ".repeat(16))),
    };
    let room = width.saturating_sub(indent);
    let newline = format!("\n{}", " ".repeat(indent));
    if room < SENSIBLE {
        return text.replace('\n', &newline);
    }
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = break_line(rest, room - SLOP);
        lines.push(line.replace('\n', &newline));
        rest = after;
    }
    first + &lines.join(&newline)
}

/// At most about `room` columns of `text`, and what is left. A line break in the text wins.
fn break_line(text: &str, room: usize) -> (&str, &str) {
    if room + SLOP > text.len() || !text.is_char_boundary(room) {
        return (text, "");
    }
    let head = &text[..room];
    let Some(space) = head.rfind([' ', '\t', '\n']).filter(|at| *at > 0) else {
        return (text, "");
    };
    let at = head.rfind('\n').filter(|at| *at > 0 && *at < space).unwrap_or(space);
    (&text[..at], &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn options_are_sorted_aligned_and_wrapped() {
        const FLAGS: &[Flag] = &[
            Flag::string(
                "workdir",
                "Directory inside the container, which need not exist before it is started",
            )
            .short('w'),
            Flag::bool("all", "Everything").short('a'),
            Flag::string("pull", "When to pull").default("missing"),
            Flag::int("last", "How many").default("-1"),
            Flag::bool("secret", "Not shown").hidden(),
        ];
        expect![[r#"
            Options:
              -a, --all              Everything
                  --last int         How many (default -1)
                  --pull string      When to pull (default "missing")
              -w, --workdir string   Directory inside the container,
                                     which need not exist before it
                                     is started
        "#]]
        .assert_eq(&format!("Options:\n{}", usages(&[FLAGS], 63, |flag| flag.default.to_owned())));
    }
}
