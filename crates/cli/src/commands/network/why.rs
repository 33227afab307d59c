//! `gantry network why`: what becomes of a packet, step by step. Docker has no such command.

use api::networks::Explanation;
use template::{MissingKey, Value};

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{object, print};

const FLAGS: &[Flag] = &[
    Flag::string("format", "Format output using a custom template, or 'json'").short('f'),
    Flag::string("from", "Who sends: \"outside\", \"host\" or a container"),
];

pub(crate) const COMMAND: Command = Command {
    name: "why",
    aliases: &[],
    paths: &["network why"],
    usage: "[OPTIONS] HOST:PORT[/PROTO]|CONTAINER:PORT[/PROTO]",
    about: "Explain why a packet does or does not reach a container",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let format = object::format("", parsed.str("format"))?;
    let (to, protocol) = parsed.arg(0).split_once('/').unwrap_or((parsed.arg(0), ""));
    let client = context.connect().await?;
    let answer = client.network_why(to, protocol, parsed.str("from")).await?;
    let text = match format {
        Some(format) => formatted(&format, &answer)? + "\n",
        None => lines(&answer),
    };
    print(text)?;
    Ok(0)
}

fn formatted(format: &template::Format, answer: &Explanation) -> Result<String> {
    let failed = |what: String| Failure::new(what);
    let text = serde_json::to_string(answer).map_err(|error| failed(error.to_string()))?;
    let document =
        template::Json::parse(text.as_bytes()).map_err(|error| failed(error.to_string()))?;
    format
        .execute(&Value::untyped(&document), MissingKey::Error)
        .map_err(|error| failed(error.what))
}

fn lines(answer: &Explanation) -> String {
    let Explanation { to, protocol, from, verdict, steps, .. } = answer;
    let mut text = format!("{to} ({protocol}) from {from}: {verdict}\n");
    for step in steps {
        text += &format!("  {:<5}  {:<11}  {}\n", step.verdict, step.subject, step.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use api::networks::ExplanationStep;

    use super::*;

    #[test]
    fn a_line_for_each_step() {
        let step = ExplanationStep {
            subject: "listener".into(),
            verdict: "block".into(),
            text: "nothing there".into(),
        };
        let answer = Explanation {
            to: "web:80".into(),
            protocol: "tcp".into(),
            from: "another host".into(),
            verdict: "unreachable".into(),
            steps: vec![step],
            ..Explanation::default()
        };
        assert_eq!(
            lines(&answer),
            "web:80 (tcp) from another host: unreachable\n  block  listener     nothing there\n"
        );
    }
}
