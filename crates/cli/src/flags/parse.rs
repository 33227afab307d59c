//! pflag's rules: `--name=v`, `--name v`, `-n v`, `-nv`, `-abc`, `--` ends flags.

use super::{Flag, Kind, check};

/// Whether flags may come after the first positional argument. They may not where what follows is
/// somebody else's command line (`run IMAGE ls -l`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interspersed {
    Yes,
    No,
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    given: Vec<(&'static str, String)>,
    defaults: Vec<(&'static str, &'static str)>,
    pub(crate) args: Vec<String>,
    /// `-h` or `--help` was met; nothing after it was looked at.
    pub(crate) help: bool,
}

impl Parsed {
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        self.str(name) == "true"
    }

    /// The value given, or the flag's default.
    pub(crate) fn str(&self, name: &str) -> &str {
        let default = || self.defaults.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        self.last(name).or_else(default).unwrap_or_default()
    }

    pub(crate) fn string(&self, name: &str) -> String {
        self.str(name).to_owned()
    }

    /// Checked when it was parsed; 0 where neither given nor defaulted.
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.str(name).parse().unwrap_or_default()
    }

    pub(crate) fn int_if_set(&self, name: &str) -> Option<i64> {
        self.is_set(name).then(|| self.int(name))
    }

    /// Every value given, in order.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.given.iter().filter(|(given, _)| *given == name).map(|(_, v)| v.clone()).collect()
    }

    pub(crate) fn arg(&self, index: usize) -> &str {
        &self.args[index]
    }
}

/// Messages are pflag's; the caller adds which command's help to see.
pub(crate) fn parse(
    tables: &[&'static [Flag]],
    words: &[String],
    interspersed: Interspersed,
) -> Result<Parsed, String> {
    let flags = || tables.iter().flat_map(|table| table.iter());
    let defaults = flags().filter(|flag| !flag.default.is_empty());
    let defaults = defaults.map(|flag| (flag.long, flag.default)).collect();
    let mut parsed = Parsed { defaults, ..Parsed::default() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.args.extend(words.cloned());
            break;
        }
        let result = if let Some(long) = word.strip_prefix("--") {
            let find = |name: &str| flags().find(|f| f.long == name);
            long_flag(long, find, &mut words)
        } else if word.len() > 1 && word.starts_with('-') {
            let find = |short: char| flags().find(|f| f.short == Some(short));
            short_flags(&word[1..], find, &mut words)
        } else {
            parsed.args.push(word.clone());
            if interspersed == Interspersed::No {
                parsed.args.extend(words.cloned());
                break;
            }
            continue;
        }?;
        match result {
            Some(values) => parsed.given.extend(values),
            None => {
                parsed.help = true;
                break;
            }
        }
    }
    Ok(parsed)
}

/// Values by flag; `None` for a request for help.
type Values = Option<Vec<(&'static str, String)>>;

fn long_flag<'a>(
    word: &str,
    find: impl Fn(&str) -> Option<&'static Flag>,
    words: &mut impl Iterator<Item = &'a String>,
) -> Result<Values, String> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    if name.is_empty() || name.starts_with('-') {
        return Err(format!("bad flag syntax: --{word}"));
    }
    let Some(flag) = find(name) else {
        return if name == "help" { Ok(None) } else { Err(format!("unknown flag: --{name}")) };
    };
    let value = match (value, flag.kind) {
        (Some(value), _) => value,
        (None, Kind::Bool) => "true".to_owned(),
        (None, _) => {
            words.next().ok_or_else(|| format!("flag needs an argument: --{name}"))?.clone()
        }
    };
    Ok(Some(vec![checked(flag, value)?]))
}

fn short_flags<'a>(
    cluster: &str,
    find: impl Fn(char) -> Option<&'static Flag>,
    words: &mut impl Iterator<Item = &'a String>,
) -> Result<Values, String> {
    let mut values = Vec::new();
    let mut rest = cluster;
    while let Some(short) = rest.chars().next() {
        rest = &rest[short.len_utf8()..];
        let Some(flag) = find(short) else {
            let unknown = format!("unknown shorthand flag: {short:?} in -{cluster}");
            return if short == 'h' { Ok(None) } else { Err(unknown) };
        };
        let value = match (rest.strip_prefix('='), flag.kind) {
            (Some(value), _) => {
                rest = "";
                value.to_owned()
            }
            (None, Kind::Bool) => "true".to_owned(),
            (None, _) if !rest.is_empty() => std::mem::take(&mut rest).to_owned(),
            (None, _) => words
                .next()
                .ok_or_else(|| format!("flag needs an argument: {short:?} in -{cluster}"))?
                .clone(),
        };
        values.push(checked(flag, value)?);
    }
    Ok(Some(values))
}

fn checked(flag: &'static Flag, value: String) -> Result<(&'static str, String), String> {
    (flag.check)(&value)
        .map_err(|e| format!("invalid argument {value:?} for {:?} flag: {e}", flag.shown()))?;
    let value = match flag.kind {
        Kind::Bool => check::parse_bool(&value).unwrap_or_default().to_string(),
        Kind::One | Kind::Many => value,
    };
    Ok((flag.long, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::bool("all", "").short('a'),
        Flag::bool("tty", "").short('t'),
        Flag::list("env", "").short('e'),
        Flag::int("last", "").short('n').default("-1"),
        Flag::string("name", ""),
    ];

    fn line(words: &str, interspersed: Interspersed) -> Result<Parsed, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        parse(&[FLAGS], &words, interspersed)
    }

    #[test]
    fn every_way_to_give_a_value() {
        let parsed = line(
            "-at -eA=1 -e B=2 -e=C --env D --env=E=5 --name x --last=3 --all=false",
            Interspersed::Yes,
        )
        .unwrap();
        assert_eq!(parsed.list("env"), ["A=1", "B=2", "C", "D", "E=5"]);
        assert_eq!((parsed.str("name"), parsed.int("last")), ("x", 3));
        assert!(parsed.bool("tty") && !parsed.bool("all"));
        assert!(parsed.is_set("all"));
    }

    #[test]
    fn what_follows_a_foreign_command_is_not_ours() {
        let parsed = line("-t image -a --what", Interspersed::No).unwrap();
        assert_eq!(parsed.args, ["image", "-a", "--what"]);
        assert!(!parsed.is_set("all"));
        let parsed = line("x -a -- -t", Interspersed::Yes).unwrap();
        assert_eq!(parsed.args, ["x", "-t"]);
        assert!(parsed.bool("all") && !parsed.bool("tty"));
    }

    #[test]
    fn messages_are_those_of_docker() {
        let error = |words| line(words, Interspersed::Yes).unwrap_err();
        assert_eq!(error("--foo"), "unknown flag: --foo");
        assert_eq!(error("-az"), "unknown shorthand flag: 'z' in -az");
        assert_eq!(error("--env"), "flag needs an argument: --env");
        assert_eq!(error("-ae"), "flag needs an argument: 'e' in -ae");
        assert_eq!(
            error("-n abc"),
            r#"invalid argument "abc" for "-n, --last" flag: strconv.ParseInt: parsing "abc": invalid syntax"#
        );
        assert_eq!(
            error("--all=maybe"),
            r#"invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#
        );
    }

    #[test]
    fn help_wins_over_what_follows() {
        assert!(line("--help --foo", Interspersed::Yes).unwrap().help);
        assert!(line("-h", Interspersed::Yes).unwrap().help);
    }
}
