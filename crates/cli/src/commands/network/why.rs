//! `gantry network why`: what becomes of a packet, step by step. Docker has no such command.

use std::process::Command as Program;

use api::networks::{Explanation, UfwRule};
use template::{MissingKey, Value};

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{object, print};

const FLAGS: &[Flag] = &[
    Flag::string("format", "Format output using a custom template, or 'json'").short('f'),
    Flag::string("from", "Who sends: \"outside\", \"host\" or a container"),
    Flag::bool("ufw", "Have ufw let it through, where ufw's rules are in the way"),
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
    let ask = || client.network_why(to, protocol, parsed.str("from"));
    let mut answer = ask().await?;
    if let Some(rule) = answer.ufw.as_ref().filter(|_| parsed.bool("ufw")) {
        if !context.host_text().starts_with("unix:") {
            return Err(Failure::new("--ufw is for an engine on this host"));
        }
        allow(rule)?;
        answer = ask().await?;
    }
    let text = match format {
        Some(format) => formatted(&format, &answer)? + "\n",
        None => lines(&answer),
    };
    print(text)?;
    Ok(0)
}

/// Its own command is the only one to write ufw's rules.
fn allow(rule: &UfwRule) -> Result<()> {
    let words = ufw_words(rule);
    let failed = |why: String| Failure::new(format!("{}: {}", words.join(" "), why.trim()));
    let output = Program::new("ufw").args(&words[1..]).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

fn ufw_words(UfwRule { route, port, protocol }: &UfwRule) -> Vec<String> {
    let way = match route.as_str() {
        "" => "ufw allow".to_owned(),
        route => format!("ufw route allow {route}"),
    };
    let rule = format!("{way} to any port {port} proto {protocol}");
    rule.split(' ').map(str::to_owned).collect()
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
    let Explanation { to, protocol, from, verdict, steps, ufw, .. } = answer;
    let mut text = format!("{to} ({protocol}) from {from}: {verdict}\n");
    for step in steps {
        text += &format!("  {:<5}  {:<11}  {}\n", step.verdict, step.subject, step.text);
    }
    if let Some(rule) = ufw {
        text += &format!("\nWith --ufw this is done: {}\n", ufw_words(rule).join(" "));
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

    #[test]
    fn ufw_is_told_of_a_bridge_or_of_the_host() {
        let words = |route: &str| {
            let rule = UfwRule { route: route.into(), port: 80, protocol: "tcp".into() };
            ufw_words(&rule).join(" ")
        };
        assert_eq!(words("out on br-1"), "ufw route allow out on br-1 to any port 80 proto tcp");
        assert_eq!(words(""), "ufw allow to any port 80 proto tcp");
    }
}
