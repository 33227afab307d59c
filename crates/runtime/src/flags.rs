//! Command lines: flags in runc's vocabulary, read in one pass.

use crate::error::{Error, Result};

/// A flag of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// Without dashes.
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    /// What its value is called in the help; `None` for a switch.
    pub(crate) value: Option<&'static str>,
    pub(crate) help: &'static str,
}

pub(crate) const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, short: None, value: None, help }
}

pub(crate) const fn value(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, short: None, value: Some(value), help }
}

impl Flag {
    pub(crate) const fn short(self, short: char) -> Flag {
        Flag { short: Some(short), ..self }
    }
}

/// What was given on a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    flags: Vec<(&'static str, String)>,
    pub(crate) positional: Vec<String>,
}

/// Where flags end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Interspersed,
    /// What follows the given number of arguments belongs to somebody else.
    FlagsBefore(usize),
}

impl Args {
    pub(crate) fn parse(known: &[Flag], order: Order, words: &[String]) -> Result<Args> {
        let mut args = Args::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let ended = matches!(order, Order::FlagsBefore(n) if args.positional.len() >= n);
            if ended || !word.starts_with('-') || word == "-" {
                args.positional.push(word.clone());
            } else if word == "--" {
                args.positional.extend(words.by_ref().cloned());
            } else {
                args.add_flag(known, word, &mut words)?;
            }
        }
        Ok(args)
    }

    fn add_flag<'w>(
        &mut self,
        known: &[Flag],
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<()> {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        // As in Go, one dash does for long names too.
        let bare = name.trim_start_matches('-');
        let is_short = |short: char| bare.len() == 1 && bare.starts_with(short);
        let flag = known
            .iter()
            .find(|flag| flag.name == bare || flag.short.is_some_and(is_short))
            .ok_or_else(|| Error::invalid(format!("flag provided but not defined: -{bare}")))?;
        let text = match (flag.value, inline) {
            (None, inline) => inline.unwrap_or_else(|| "true".to_owned()),
            (Some(_), Some(inline)) => inline,
            (Some(_), None) => rest
                .next()
                .cloned()
                .ok_or_else(|| Error::invalid(format!("flag needs an argument: -{bare}")))?,
        };
        self.flags.push((flag.name, text));
        Ok(())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false" && value != "0")
    }

    /// The last value given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.get(name)
            .map(|text| {
                let invalid = || Error::invalid(format!("invalid value {text:?} for flag -{name}"));
                text.parse().map_err(|_| invalid())
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Flag; 3] = [
        switch("detach", "").short('d'),
        value("bundle", "DIR", "").short('b'),
        value("env", "K=V", "").short('e'),
    ];

    fn parse(order: Order, words: &[&str]) -> Result<Args> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Args::parse(&KNOWN, order, &words)
    }

    #[test]
    fn values_follow_their_flag_or_an_equals_sign() {
        let args = parse(Order::Interspersed, &["--bundle", "/a", "x", "-d", "-e=A=1", "-e", "B"])
            .unwrap();
        assert_eq!(args.get("bundle"), Some("/a"));
        assert!(args.has("detach"));
        assert_eq!(args.all("env").collect::<Vec<_>>(), ["A=1", "B"]);
        assert_eq!(args.positional, ["x"]);
    }

    #[test]
    fn the_words_of_an_exec_are_not_its_flags() {
        let args = parse(Order::FlagsBefore(1), &["-d", "id", "ls", "-d", "--bundle"]).unwrap();
        assert_eq!(args.positional, ["id", "ls", "-d", "--bundle"]);
        let args = parse(Order::FlagsBefore(1), &["id", "--", "-d"]).unwrap();
        assert_eq!(args.positional, ["id", "--", "-d"]);
    }

    #[test]
    fn unknown_flags_and_missing_values_are_errors() {
        assert!(parse(Order::Interspersed, &["--nope"]).unwrap_err().message.contains("-nope"));
        assert!(parse(Order::Interspersed, &["--bundle"]).is_err());
    }
}
