//! What becomes of objects: a line for each change, or on a terminal a line for each object.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Instant;

use compose::apply::{Event, EventState};

use crate::context::Context;
use crate::output::{warn, warn_part};

enum Style {
    Quiet,
    Plain,
    Terminal,
}

pub(super) struct Progress {
    style: Style,
    begun: Instant,
    state: RefCell<Lines>,
}

#[derive(Default)]
struct Lines {
    shown: usize,
    lines: Vec<Line>,
}

struct Line {
    event: Event,
    begun: Instant,
    seconds: Option<f32>,
}

impl Progress {
    pub(super) fn of(context: &Context) -> Self {
        let flags = context.group();
        let is_terminal = std::io::stderr().is_terminal() && flags.str("ansi") != "never";
        let style = match flags.str("progress") {
            "quiet" => Style::Quiet,
            "plain" => Style::Plain,
            "tty" => Style::Terminal,
            _ if is_terminal => Style::Terminal,
            _ => Style::Plain,
        };
        Self { style, begun: Instant::now(), state: RefCell::default() }
    }

    pub(super) fn report(&self, event: Event) {
        match self.style {
            Style::Quiet => {}
            Style::Plain => warn(format_args!(" {}  {}", event.subject, event.status)),
            Style::Terminal => self.redraw(event),
        }
    }

    fn redraw(&self, event: Event) {
        let mut state = self.state.borrow_mut();
        let now = Instant::now();
        let known = state.lines.iter_mut().find(|line| line.event.subject == event.subject);
        match known {
            Some(line) => {
                let is_over = event.state != EventState::Working;
                line.seconds = is_over.then(|| (now - line.begun).as_secs_f32());
                line.event = event;
            }
            None => {
                let seconds = (event.state != EventState::Working).then_some(0.0);
                state.lines.push(Line { event, begun: now, seconds });
            }
        }
        let done = state.lines.iter().filter(|line| line.seconds.is_some()).count();
        let total = state.lines.len();
        let up = match state.shown {
            0 => String::new(),
            shown => format!("\x1b[{shown}A"),
        };
        let elapsed = self.begun.elapsed().as_secs_f32();
        let mut text = format!("{up}\x1b[0G\x1b[2K[+] Running {done}/{total} ({elapsed:.1}s)\n");
        let width =
            state.lines.iter().map(|line| line.event.subject.len()).max().unwrap_or_default();
        for line in &state.lines {
            text += &line.text(width);
        }
        state.shown = total + 1;
        warn_part(text);
    }
}

impl Line {
    fn text(&self, width: usize) -> String {
        let Event { subject, status, state } = &self.event;
        let (mark, colour) = match state {
            EventState::Working => ("⠿", 34),
            EventState::Done => ("✔", 32),
            EventState::Failed => ("✘", 31),
        };
        let seconds = self.seconds.map(|seconds| format!("{seconds:.1}s")).unwrap_or_default();
        format!(
            "\x1b[2K \x1b[{colour}m{mark}\x1b[0m {subject:width$}  \x1b[{colour}m{status:12}\x1b[0m {seconds}\n"
        )
    }
}
