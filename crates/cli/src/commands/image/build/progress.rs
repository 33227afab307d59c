//! What is shown of a build while it runs, on stderr, as BuildKit shows it.

mod plain;
mod steps;
mod tty;

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use api::build::{Failure, Status};

use self::plain::Plain;
use self::steps::Steps;
use self::tty::Tty;
use super::print;
use super::source::Source;
use crate::error;
use crate::flags::Parsed;

pub(super) struct Progress {
    steps: Steps,
    printer: Printer,
    /// Before each line, where several builds are shown together.
    prefix: String,
    begun: Instant,
}

enum Printer {
    Plain(Plain),
    Tty(Tty),
    Raw,
    Quiet,
}

impl Progress {
    /// As `--progress`, `--quiet` and the environment say.
    pub(super) fn new(parsed: &Parsed) -> error::Result<Self> {
        let variable = std::env::var("BUILDKIT_PROGRESS").ok().filter(|mode| !mode.is_empty());
        let mode = match (parsed.bool("quiet"), parsed.is_set("progress"), variable) {
            (true, ..) => "quiet".to_owned(),
            (_, false, Some(variable)) => variable,
            _ => parsed.string("progress"),
        };
        let printer = match mode.as_str() {
            "auto" | "" | "tty" if io::stderr().is_terminal() => Printer::Tty(Tty::new()),
            "auto" | "" | "plain" => Printer::Plain(Plain::default()),
            "tty" => {
                return Err(error::Failure::new(
                    "ERROR: failed to get console: provided file is not a console",
                ));
            }
            "rawjson" => Printer::Raw,
            "quiet" | "none" => Printer::Quiet,
            other => {
                return Err(error::Failure::new(format!("ERROR: invalid progress mode {other}")));
            }
        };
        let prefix = parsed.string("progress-prefix");
        Ok(Self { steps: Steps::default(), printer, prefix, begun: Instant::now() })
    }

    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.printer, Printer::Quiet)
    }

    /// Who builds.
    pub(super) fn begin(&mut self, instance: &str) {
        if let Printer::Plain(_) = self.printer {
            show(
                &self.prefix,
                &format!("#0 building with {instance:?} instance using gantry driver\n"),
            );
        }
    }

    pub(super) fn add(&mut self, mut status: Status) {
        if let Printer::Raw = self.printer {
            status.instructions.clear();
            status.reasons.clear();
            if !status.is_empty()
                && let Ok(text) = serde_json::to_string_pretty(&status)
            {
                show(&self.prefix, &format!("{text}\n"));
            }
            return;
        }
        self.steps.add(status);
        self.tick();
    }

    /// Time went by.
    pub(super) fn tick(&mut self) {
        let now = self.begun.elapsed();
        match &mut self.printer {
            Printer::Plain(plain) => show(&self.prefix, &plain.print(&mut self.steps, now)),
            Printer::Tty(tty) => {
                show(&self.prefix, &tty.redraw(&self.steps, now, tty::Moment::During))
            }
            Printer::Raw | Printer::Quiet => {}
        }
    }

    /// Nothing more is told. What went wrong is shown with its output and its lines of the Dockerfile.
    pub(super) fn end(&mut self, failure: Option<&Failure>, source: &Source) {
        let now = self.begun.elapsed();
        match &mut self.printer {
            Printer::Plain(plain) => show(&self.prefix, &plain.finish(&mut self.steps)),
            Printer::Tty(tty) => {
                show(
                    &self.prefix,
                    &tty.redraw(&self.steps, now, tty::Moment::End { failed: failure.is_some() }),
                );
            }
            Printer::Raw | Printer::Quiet => {}
        }
        let Some(failure) = failure else { return };
        if let Printer::Plain(_) | Printer::Tty(_) = self.printer {
            show(&self.prefix, &self.steps.what_failed());
        }
        if let Some((first, last)) = failure.lines {
            show(&self.prefix, &print::excerpt(&source.name, &source.text, &(first..=last)));
        }
    }
}

fn show(prefix: &str, text: &str) {
    // A terminal that is gone is told nothing more.
    let _ = match prefix {
        "" => io::stderr().lock().write_all(text.as_bytes()),
        prefix => {
            let lines = text.lines().map(|line| format!("{prefix}{line}\n"));
            io::stderr().lock().write_all(lines.collect::<String>().as_bytes())
        }
    };
}
