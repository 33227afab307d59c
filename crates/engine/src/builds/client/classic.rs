//! What happens in a build, told as the classic builder told it: instruction by instruction, in the file's order, whatever
//! runs beside one another. News of later instructions wait for their turn.

use std::collections::HashMap;

use api::build::{BuildResult, Failure, Instruction, Status};
use api::progress::{ErrorDetail, Message};
use serde_json::json;

/// Bytes of output that wait for their instruction's turn.
const MOST_WAITING: usize = 4 << 20;

#[derive(Default)]
pub struct Classic {
    instructions: Vec<Instruction>,
    vertexes: HashMap<String, Seen>,
    /// Which instruction's turn it is, and how much of it was told.
    at: usize,
    told: Told,
    waiting: usize,
    warnings: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Told {
    #[default]
    Nothing,
    Text,
    Running,
}

#[derive(Default)]
struct Seen {
    started: bool,
    completed: bool,
    cached: bool,
    failed: bool,
    output: Vec<(u8, Vec<u8>)>,
}

impl Classic {
    pub fn add(&mut self, status: Status) -> Vec<Message> {
        for instruction in status.instructions {
            let step = instruction.step;
            match self.instructions.iter_mut().find(|known| known.step == step) {
                Some(known) => *known = instruction,
                None => self.instructions.push(instruction),
            }
        }
        for vertex in status.vertexes {
            let seen = self.vertexes.entry(vertex.digest).or_default();
            seen.started |= vertex.started.is_some();
            seen.completed |= vertex.completed.is_some();
            seen.cached |= vertex.cached;
            seen.failed |= !vertex.error.is_empty();
        }
        for log in status.logs {
            if self.waiting + log.data.len() <= MOST_WAITING {
                self.waiting += log.data.len();
                let seen = self.vertexes.entry(log.vertex).or_default();
                seen.output.push((log.stream, log.data));
            }
        }
        let texts = status.warnings.into_iter().map(|warning| warning.short);
        self.warnings.extend(texts.map(|text| String::from_utf8_lossy(&text).into_owned()));
        let mut messages = Vec::new();
        while self.advance(&mut messages) {}
        messages
    }

    /// What is told last. `tags` are the names the image was to have.
    pub fn finish(
        mut self,
        result: &Result<BuildResult, Failure>,
        tags: &[String],
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        match result {
            Ok(built) => {
                let id = &built.image_id;
                if !id.is_empty() {
                    let aux = Some(json!({ "ID": id }));
                    messages.push(Message { aux, ..Message::default() });
                }
                let warnings = self.warnings.drain(..);
                messages
                    .extend(warnings.map(|text| Message::stream(format!("[Warning] {text}\n"))));
                messages.push(Message::stream(format!("Successfully built {}\n", short(id))));
                let tagged = tags.iter();
                messages.extend(
                    tagged.map(|tag| Message::stream(format!("Successfully tagged {tag}\n"))),
                );
            }
            Err(failure) => {
                let message = worded(failure);
                let detail = ErrorDetail { code: failure.code, message: message.clone() };
                let error_detail = Some(detail);
                messages.push(Message { error_detail, error: message, ..Message::default() });
            }
        }
        messages
    }

    /// Of what changes the config alone, and is a part of the next step: known if that is. None where nobody knows yet.
    fn is_config_cached(&self, instruction: &Instruction) -> Option<bool> {
        if !instruction.vertex.is_empty() || is_from(instruction) {
            return Some(false);
        }
        let rest = self.instructions[self.at + 1..].iter().take_while(|next| !is_from(next));
        match rest.map(|next| &next.vertex).find(|vertex| !vertex.is_empty()) {
            None => Some(false),
            Some(next) => {
                let seen = self.vertexes.get(next)?;
                (seen.started || seen.completed).then_some(seen.cached)
            }
        }
    }

    /// Tells what is next, if that is known. Whether it was.
    fn advance(&mut self, messages: &mut Vec<Message>) -> bool {
        let Some(instruction) = self.instructions.get(self.at) else { return false };
        let Some(cached) = self.is_config_cached(instruction) else { return false };
        let mut nothing = Seen { started: true, completed: true, cached, ..Seen::default() };
        let is_config = instruction.vertex.is_empty();
        let seen = match self.vertexes.get_mut(&instruction.vertex) {
            _ if is_config => &mut nothing,
            Some(seen) => seen,
            None => return false,
        };
        if !seen.started && !seen.completed {
            return false;
        }
        let name = short(&instruction.vertex);
        let runs = instruction.text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("RUN "));
        if self.told == Told::Nothing {
            let Instruction { step, of, text, .. } = instruction;
            messages.push(Message::stream(format!("Step {step}/{of} : {text}")));
            messages.push(Message::stream("\n"));
            self.told = Told::Text;
        }
        if self.told == Told::Text && runs && !seen.cached {
            messages.push(Message::stream(format!(" ---> Running in {name}\n")));
            self.told = Told::Running;
        }
        for (stream, data) in seen.output.drain(..) {
            self.waiting -= data.len();
            messages.push(output(stream, &data));
        }
        if !seen.completed || seen.failed {
            return false;
        }
        if seen.cached {
            messages.push(Message::stream(" ---> Using cache\n"));
        } else if self.told == Told::Running {
            messages
                .push(Message::stream(format!(" ---> Removed intermediate container {name}\n")));
        }
        let image = [&instruction.image, &instruction.vertex].into_iter().find(|id| !id.is_empty());
        if let Some(image) = image {
            messages.push(Message::stream(format!(" ---> {}\n", short(image))));
        }
        (self.at, self.told) = (self.at + 1, Told::Nothing);
        true
    }
}

/// What a command says on its second stream is red, as ever.
fn output(stream: u8, data: &[u8]) -> Message {
    let text = String::from_utf8_lossy(data);
    match stream {
        2 => Message::stream(format!("\u{1b}[91m{text}\u{1b}[0m")),
        _ => Message::stream(text),
    }
}

fn is_from(instruction: &Instruction) -> bool {
    instruction.text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("FROM "))
}

fn short(digest: &str) -> &str {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}

/// A command that failed, in the classic builder's words.
fn worded(failure: &Failure) -> String {
    let said = &failure.message;
    let ending = format!(" did not complete successfully: exit code: {}", failure.code);
    let command = said.strip_suffix(&ending).and_then(|start| start.split_once("process "));
    match command.and_then(|(_, quoted)| serde_json::from_str::<String>(quoted).ok()) {
        Some(command) => {
            format!("The command '{command}' returned a non-zero code: {}", failure.code)
        }
        None => said.clone(),
    }
}

#[cfg(test)]
mod tests {
    use api::build::{Vertex, VertexLog};

    use super::*;

    fn instructions(texts: &[(&str, &str)]) -> Status {
        let instruction = |(at, (text, vertex)): (usize, &(&str, &str))| Instruction {
            step: at + 1,
            of: texts.len(),
            text: (*text).into(),
            vertex: (*vertex).into(),
            image: format!("sha256:{}{at}", "0".repeat(11)),
        };
        let instructions = texts.iter().enumerate().map(instruction).collect();
        Status { instructions, ..Status::default() }
    }

    fn vertex(digest: &str, change: impl Fn(&mut Vertex)) -> Status {
        let mut vertex =
            Vertex { digest: digest.into(), started: Some(String::new()), ..Vertex::default() };
        change(&mut vertex);
        Status { vertexes: vec![vertex], ..Status::default() }
    }

    fn done(digest: &str) -> Status {
        vertex(digest, |vertex| vertex.completed = Some(String::new()))
    }

    fn log(vertex: &str, stream: u8, text: &str) -> Status {
        let log =
            VertexLog { vertex: vertex.into(), stream, data: text.into(), ..VertexLog::default() };
        Status { logs: vec![log], ..Status::default() }
    }

    fn text(messages: Vec<Message>) -> String {
        messages.into_iter().map(|message| message.stream + &message.error).collect()
    }

    #[test]
    fn instructions_are_told_in_the_files_order_whatever_ends_first() {
        let mut classic = Classic::default();
        let texts = [
            ("FROM x", "base"),
            ("ENV a=b", ""),
            ("RUN make", "sha256:one"),
            ("COPY a b", "sha256:two"),
        ];
        assert_eq!(text(classic.add(instructions(&texts))), "");
        assert_eq!(text(classic.add(done("sha256:two"))), "");
        let first = "Step 1/4 : FROM x\n ---> 000000000000\n";
        assert_eq!(text(classic.add(done("base"))), first);
        let running = text(classic.add(vertex("sha256:one", |_| ())));
        let config = "Step 2/4 : ENV a=b\n ---> 000000000001\n";
        assert_eq!(running, format!("{config}Step 3/4 : RUN make\n ---> Running in one\n"));
        assert_eq!(text(classic.add(log("sha256:one", 1, "hi\n"))), "hi\n");
        assert_eq!(text(classic.add(log("sha256:one", 2, "no\n"))), "\u{1b}[91mno\n\u{1b}[0m");
        let rest = " ---> Removed intermediate container one\n ---> 000000000002\nStep 4/4 : COPY a b\n ---> 000000000003\n";
        assert_eq!(text(classic.add(done("sha256:one"))), rest);
        let built =
            BuildResult { image_id: "sha256:0123456789abcdef".into(), ..BuildResult::default() };
        let last = classic.finish(&Ok(built), &["x:latest".into()]);
        assert_eq!(last[0].aux, Some(json!({"ID": "sha256:0123456789abcdef"})));
        assert_eq!(text(last), "Successfully built 0123456789ab\nSuccessfully tagged x:latest\n");
    }

    #[test]
    fn what_is_cached_says_so_and_what_fails_has_its_code() {
        let mut classic = Classic::default();
        classic.add(instructions(&[("ENV a=b", ""), ("RUN a", "a"), ("RUN exit 3", "b")]));
        let cached =
            vertex("a", |vertex| (vertex.cached, vertex.completed) = (true, Some(String::new())));
        let told = text(classic.add(cached));
        let config = "Step 1/3 : ENV a=b\n ---> Using cache\n ---> 000000000000\n";
        let step = "Step 2/3 : RUN a\n ---> Using cache\n ---> 000000000001\n";
        assert_eq!(told, format!("{config}{step}"));
        let failed = vertex("b", |vertex| {
            (vertex.error, vertex.completed) = ("no".into(), Some(String::new()))
        });
        assert_eq!(text(classic.add(failed)), "Step 3/3 : RUN exit 3\n ---> Running in b\n");
        let message =
            r#"process "/bin/sh -c exit 3" did not complete successfully: exit code: 3"#.to_owned();
        let last = classic.finish(&Err(Failure { message, code: 3, ..Failure::default() }), &[]);
        assert_eq!(last[0].error_detail.as_ref().unwrap().code, 3);
        assert_eq!(text(last), "The command '/bin/sh -c exit 3' returned a non-zero code: 3");
    }

    #[test]
    fn output_that_waits_for_its_turn_is_bounded() {
        let mut classic = Classic::default();
        classic.add(instructions(&[("RUN a", "a"), ("RUN b", "b")]));
        for _ in 0..100 {
            classic.add(log("b", 1, &"x".repeat(1 << 20)));
        }
        assert!(classic.waiting <= MOST_WAITING);
        classic.add(done("a"));
        classic.add(done("b"));
        assert_eq!(classic.waiting, 0);
    }
}
