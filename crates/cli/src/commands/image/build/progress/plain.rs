//! Lines, for files and pipes: steps one after the other, each under its heading. Those that ended come as soon as they
//! have; of those that run one has the word, and gives it up when it has been silent.

use std::fmt::Write as _;
use std::time::Duration;

use super::steps::{Step, Steps};

/// Silence after which another step gets the word.
const SILENCE: Duration = Duration::from_secs(5);
const LONGEST_NAME: usize = 72;

#[derive(Default)]
pub(super) struct Plain {
    current: Option<usize>,
    last_number: usize,
    /// When the one that has the word said something.
    spoke: Duration,
}

impl Plain {
    /// What is to be printed now.
    pub(super) fn print(&mut self, steps: &mut Steps, now: Duration) -> String {
        let mut out = String::new();
        let ended = |steps: &Steps, place: usize| {
            let step = &steps.all[place];
            step.has_news && step.is_completed()
        };
        if let Some(current) = self.current.filter(|current| ended(steps, *current)) {
            self.step(steps, current, &mut out);
        }
        for place in 0..steps.all.len() {
            if ended(steps, place) {
                self.step(steps, place, &mut out);
            }
        }
        if let Some(current) = self.current {
            if steps.all[current].has_news {
                self.step(steps, current, &mut out);
                self.spoke = now;
                return out;
            }
            if now.saturating_sub(self.spoke) < SILENCE {
                return out;
            }
        }
        let waits = |step: &Step| step.is_active() && step.has_news;
        if let Some(next) = steps.all.iter().position(waits) {
            self.step(steps, next, &mut out);
            self.spoke = now;
        }
        out
    }

    /// What was held back.
    pub(super) fn finish(&mut self, steps: &mut Steps) -> String {
        let mut out = String::new();
        for place in 0..steps.all.len() {
            let step = &steps.all[place];
            if step.has_news && (step.is_active() || step.is_completed()) {
                self.step(steps, place, &mut out);
            }
        }
        out
    }

    fn step(&mut self, steps: &mut Steps, place: usize, out: &mut String) {
        if self.current != Some(place) {
            if let Some(number) = self.current.and_then(|current| steps.all[current].number) {
                let _ = writeln!(out, "#{number} ...");
            }
            self.heading(&mut steps.all[place], out);
        }
        let step = &mut steps.all[place];
        let number = step.number.unwrap_or_default();
        // Writing to a String does not fail.
        for line in step.lines.drain(..) {
            let _ = writeln!(out, "#{number} {line}");
        }
        for part in step.parts.iter_mut().filter(|part| part.has_news) {
            let _ = writeln!(out, "#{number} {}{}", part.id, part.progress());
            part.has_news = false;
        }
        step.has_news = false;
        self.current = Some(place);
        if step.is_completed() {
            let _ = writeln!(out, "#{number} {}", ending(step));
            self.current = None;
        }
    }

    fn heading(&mut self, step: &mut Step, out: &mut String) {
        let number = *step.number.get_or_insert_with(|| {
            self.last_number += 1;
            self.last_number
        });
        let _ = writeln!(out, "\n#{number} {}", limited(&step.name));
    }
}

fn ending(step: &Step) -> String {
    if step.is_cancelled() {
        return "CANCELED".into();
    }
    if !step.error.is_empty() {
        return format!("ERROR: {}", step.error);
    }
    if step.cached {
        return "CACHED".into();
    }
    format!("DONE {:.1}s", step.seconds(step.completed.unwrap_or_default()))
}

fn limited(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use api::build::{Status, Vertex, VertexLog, VertexStatus};
    use expect_test::expect;

    use super::*;

    fn at(seconds: f64) -> String {
        let time = jiff::Timestamp::from_nanosecond((seconds * 1e9) as i128).unwrap();
        time.to_string()
    }

    fn vertex(name: &str, started: f64, completed: Option<f64>) -> Vertex {
        let (digest, name) = (name.to_owned(), name.to_owned());
        let (started, completed) = (Some(at(started)), completed.map(at));
        Vertex { digest, name, started, completed, ..Vertex::default() }
    }

    fn told(vertexes: Vec<Vertex>) -> Status {
        Status { vertexes, ..Status::default() }
    }

    fn log(vertex: &str, when: f64, text: &str) -> Status {
        let timestamp = at(when);
        let log = VertexLog { vertex: vertex.into(), stream: 1, data: text.into(), timestamp };
        Status { logs: vec![log], ..Status::default() }
    }

    /// Prints after each piece of news, a tenth of a second apart.
    fn printed(news: Vec<Status>) -> String {
        let (mut steps, mut plain, mut out) = (Steps::default(), Plain::default(), String::new());
        let mut now = Duration::ZERO;
        for status in news {
            now += Duration::from_millis(100);
            steps.add(status);
            out += &plain.print(&mut steps, now);
        }
        out += &plain.finish(&mut steps);
        out + &steps.what_failed()
    }

    #[test]
    fn steps_beside_one_another_take_turns() {
        let (one, two) = ("[base 2/2] RUN one", "[other 2/2] RUN two");
        let waiting = Vertex { digest: "w".into(), name: "[3/3] COPY".into(), ..Vertex::default() };
        let cached = Vertex { cached: true, ..vertex("[base 1/2] FROM x", 1.0, Some(1.0)) };
        let part = VertexStatus {
            id: "transferring context:".into(),
            vertex: "load".into(),
            current: 30,
            timestamp: at(1.25),
            started: Some(at(1.0)),
            completed: Some(at(1.25)),
            ..VertexStatus::default()
        };
        let out = printed(vec![
            told(vec![waiting, cached]),
            told(vec![vertex("load", 1.0, None)]),
            Status { statuses: vec![part], ..Status::default() },
            told(vec![
                vertex("load", 1.0, Some(1.3)),
                vertex(one, 2.0, None),
                vertex(two, 2.0, None),
            ]),
            log(one, 2.5, "hi\npart"),
            log(two, 2.6, "there\n"),
            told(vec![vertex(two, 2.0, Some(3.0))]),
            log(one, 3.5, "ial\nno end"),
            told(vec![vertex(one, 2.0, Some(4.0))]),
        ]);
        expect![[r#"

            #1 [base 1/2] FROM x
            #1 CACHED

            #2 load
            #2 transferring context: 30B 0.2s done
            #2 DONE 0.3s

            #3 [base 2/2] RUN one
            #3 0.500 hi
            #3 ...

            #4 [other 2/2] RUN two
            #4 0.600 there
            #4 DONE 1.0s

            #3 [base 2/2] RUN one
            #3 1.500 partial
            #3 2.000 no end
            #3 DONE 2.0s
        "#]]
        .assert_eq(&out);
    }

    #[test]
    fn what_fails_shows_its_last_lines_again() {
        let name = "[2/2] RUN make";
        let many: String = (1..=12).map(|line| format!("line {line}\n")).collect();
        let error = "process \"make\" did not complete successfully: exit code: 2".to_owned();
        let failed = Vertex { error, ..vertex(name, 0.0, Some(1.0)) };
        let cancelled =
            Vertex { error: "context canceled".into(), ..vertex("other", 0.0, Some(1.0)) };
        let out = printed(vec![
            told(vec![vertex(name, 0.0, None)]),
            log(name, 0.5, &many),
            told(vec![failed, cancelled]),
        ]);
        let end = out.find("#1 ERROR").unwrap();
        expect![[r#"
            #1 ERROR: process "make" did not complete successfully: exit code: 2

            #2 other
            #2 CANCELED
            ------
             > [2/2] RUN make:
            0.500 line 3
            0.500 line 4
            0.500 line 5
            0.500 line 6
            0.500 line 7
            0.500 line 8
            0.500 line 9
            0.500 line 10
            0.500 line 11
            0.500 line 12
            ------
        "#]]
        .assert_eq(&out[end..]);
    }

    #[test]
    fn lines_of_both_streams_stay_whole() {
        let mut error = log("a", 1.0, "err\n");
        error.logs[0].stream = 2;
        let out = printed(vec![
            told(vec![vertex("a", 0.0, None)]),
            log("a", 1.0, "begun "),
            error,
            log("a", 2.0, "ended\n"),
            told(vec![vertex("a", 0.0, Some(3.0))]),
        ]);
        assert_eq!(out, "\n#1 a\n#1 1.000 err\n#1 2.000 begun ended\n#1 DONE 3.0s\n");
    }

    #[test]
    fn a_step_that_is_silent_gives_up_the_word() {
        let (mut steps, mut plain) = (Steps::default(), Plain::default());
        steps.add(told(vec![vertex("a", 0.0, None), vertex("b", 0.0, None)]));
        steps.add(log("a", 1.0, "one\n"));
        steps.add(log("b", 1.0, "two\n"));
        let second = Duration::from_secs(1);
        assert_eq!(plain.print(&mut steps, second), "\n#1 a\n#1 1.000 one\n");
        assert_eq!(plain.print(&mut steps, 5 * second), "");
        assert_eq!(plain.print(&mut steps, 6 * second), "#1 ...\n\n#2 b\n#2 1.000 two\n");
    }
}
