//! A terminal: one line for each step, redrawn in place, with the last output of those that run.

use std::time::Duration;

use jiff::Timestamp;

use super::steps::{Step, Steps};
use crate::session::terminal;

/// Lines of output below a step that runs.
const OUTPUT: usize = 6;
const WIDTH: usize = 80;
const HEIGHT: usize = 24;
const BLUE: &str = "\x1b[34m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

pub(super) struct Tty {
    /// Lines that were drawn, to be drawn over.
    drawn: usize,
    colours: bool,
    size: fn() -> (usize, usize),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Moment {
    During,
    End { failed: bool },
}

struct Line {
    text: String,
    seconds: Option<f64>,
    colour: &'static str,
}

impl Tty {
    pub(super) fn new() -> Self {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { drawn: 0, colours, size }
    }

    pub(super) fn redraw(&mut self, steps: &Steps, elapsed: Duration, moment: Moment) -> String {
        let (height, width) = (self.size)();
        let mut lines = vec![heading(steps, elapsed, moment)];
        let mut below = lines_of(steps, moment);
        if moment == Moment::During {
            // The last ones are those that run.
            let most = height.saturating_sub(3).max(1);
            below.drain(..below.len().saturating_sub(most));
        }
        lines.extend(below);
        // The cursor is hidden while it jumps.
        let mut out = String::from("\x1b[?25l");
        if self.drawn > 0 {
            out += &format!("\x1b[{}A", self.drawn);
        }
        out += "\x1b[0G";
        for line in &lines {
            out += &self.line(line, width);
        }
        for _ in lines.len()..self.drawn {
            out += &format!("{}\n", " ".repeat(width));
        }
        if self.drawn > lines.len() {
            out += &format!("\x1b[{}A", self.drawn - lines.len());
        }
        self.drawn = lines.len();
        out + "\x1b[?25h"
    }

    fn line(&self, line: &Line, width: usize) -> String {
        let end = line.seconds.map(|seconds| format!(" {seconds:.1}s")).unwrap_or_default();
        let room = width.saturating_sub(end.chars().count() + 1);
        let mut text: String = line.text.chars().take(room).collect();
        if line.text.chars().count() > room && room > 2 {
            text = line.text.chars().take(room - 2).collect::<String>() + "..";
        }
        let padding = " ".repeat(room.saturating_sub(text.chars().count()));
        let (colour, plain) = match (self.colours, line.colour) {
            (true, colour) if !colour.is_empty() => (colour, PLAIN),
            _ => ("", ""),
        };
        format!("{colour}{text}{padding}{end}{plain}\n")
    }
}

fn size() -> (usize, usize) {
    terminal::size_of(&std::io::stderr()).map_or((HEIGHT, WIDTH), |(height, width)| {
        (usize::from(height).max(4), usize::from(width).max(20))
    })
}

fn heading(steps: &Steps, elapsed: Duration, moment: Moment) -> Line {
    let known = steps.all.iter().filter(|step| !step.name.is_empty()).count();
    let completed = steps.all.iter().filter(|step| step.is_completed()).count();
    let finished = match moment {
        Moment::During => "",
        Moment::End { failed: false } => " FINISHED",
        Moment::End { failed: true } => " FINISHED",
    };
    let text =
        format!("[+] Building {:.1}s ({completed}/{known}){finished}", elapsed.as_secs_f64());
    Line { text, seconds: None, colour: if moment == Moment::During { "" } else { BLUE } }
}

/// Those that ended first, so that those that run are seen at the bottom.
fn lines_of(steps: &Steps, moment: Moment) -> Vec<Line> {
    let now = Timestamp::now();
    let shown = steps.all.iter().filter(|step| step.is_active() || step.is_completed());
    let (mut running, mut ended): (Vec<&Step>, Vec<&Step>) =
        shown.partition(|step| step.is_active());
    if moment == Moment::During {
        ended.append(&mut running);
    } else {
        ended = steps.all.iter().filter(|step| step.is_active() || step.is_completed()).collect();
    }
    ended.into_iter().flat_map(|step| lines_of_step(step, now, moment)).collect()
}

fn lines_of_step(step: &Step, now: Timestamp, moment: Moment) -> Vec<Line> {
    let colour = match (step.is_completed(), step.error.is_empty()) {
        (_, false) => RED,
        (true, true) => BLUE,
        (false, true) => "",
    };
    let state = match step {
        step if step.is_cancelled() => "CANCELED ",
        step if !step.error.is_empty() => "ERROR ",
        step if step.cached => "CACHED ",
        _ => "",
    };
    let text = format!(" => {state}{}", step.name);
    let mut lines = vec![Line { text, seconds: Some(step.seconds(now)), colour }];
    for part in &step.parts {
        let text = format!(" => => {}{}", part.id, part.progress());
        lines.push(Line { text, seconds: None, colour });
    }
    if step.is_active() && moment == Moment::During {
        let tail = step.tail.iter().skip(step.tail.len().saturating_sub(OUTPUT));
        lines.extend(tail.map(|line| {
            let text = line.split_once(' ').map_or(line.as_str(), |(_, text)| text);
            Line { text: format!(" => => # {}", printable(text)), seconds: None, colour: "" }
        }));
    }
    lines
}

/// A command's own movements of the cursor would tear the picture.
fn printable(text: &str) -> String {
    let last = text.rsplit('\r').next().unwrap_or_default();
    let mut out = String::new();
    let mut letters = last.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' => {
                // To the end of the sequence.
                if letters.next() == Some('[') {
                    letters.by_ref().find(|letter| ('@'..='~').contains(letter));
                }
            }
            '\t' => out.push(' '),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use api::build::{Status, Vertex, VertexLog};
    use expect_test::expect;

    use super::*;

    fn vertex(name: &str, completed: bool) -> Vertex {
        let started = Some("2026-01-01T00:00:00Z".to_owned());
        let completed = completed.then(|| "2026-01-01T00:00:01.5Z".to_owned());
        Vertex { digest: name.into(), name: name.into(), started, completed, ..Vertex::default() }
    }

    fn tty() -> Tty {
        Tty { drawn: 0, colours: false, size: || (8, 40) }
    }

    #[test]
    fn steps_have_a_line_each_and_are_drawn_over() {
        let mut steps = Steps::default();
        let long = "[2/2] RUN a command that is longer than the terminal is wide";
        let cached = Vertex { cached: true, ..vertex("[1/2] FROM x", true) };
        let failed = Vertex { error: "no".into(), ..vertex(long, true) };
        steps.add(Status { vertexes: vec![cached, failed], ..Status::default() });
        let mut tty = tty();
        let end = Moment::End { failed: true };
        let out = tty.redraw(&steps, Duration::from_secs(2), end);
        expect![[r#"
            ^[[?25l^[[0G[+] Building 2.0s (2/2) FINISHED       
             => CACHED [1/2] FROM x            1.5s
             => ERROR [2/2] RUN a command th.. 1.5s
            ^[[?25h"#]]
        .assert_eq(&out.replace('\x1b', "^["));
        assert!(tty.redraw(&steps, Duration::from_secs(3), end).starts_with("\x1b[?25l\x1b[3A"));
    }

    #[test]
    fn what_runs_shows_its_last_output_and_never_more_than_the_terminal_has() {
        let mut steps = Steps::default();
        let log = |text: &str| VertexLog {
            vertex: "run".into(),
            data: text.into(),
            ..VertexLog::default()
        };
        let vertexes = vec![vertex("done", true), vertex("run", false)];
        let many: String = (0..20).map(|line| format!("line {line}\n")).collect();
        let logs = vec![log(&many), log("\x1b[31mred\x1b[0m\tend\x07\n"), log("old\rnew\n")];
        steps.add(Status { vertexes, logs, ..Status::default() });
        let out = tty().redraw(&steps, Duration::ZERO, Moment::During);
        assert!(out.matches('\n').count() <= 7, "{out:?}");
        assert!(out.contains(" => => # red end ") && out.contains(" => => # new "), "{out:?}");
        assert!(!out.contains("line 1 ") && !out.contains("\x07"));
    }
}
