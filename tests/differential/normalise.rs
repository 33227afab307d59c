//! Taking out of an output what differs between any two runs.

use regex_lite::Regex;
use testkit::engine::Output;

/// In this order: a longer pattern first, so that it is not eaten by a shorter one.
const PATTERNS: &[(&str, &str)] = &[
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<short id>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?( UTC)?", "<time>"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d\b", "<date>"),
    (r"\b(Less than a second|About an? \w+|\d+ \w+) ago\b", "<age>"),
    (r"\bUp (Less than a second|About an? \w+|\d+ \w+)", "Up <time>"),
    (r"\b(\d{1,3}\.){3}\d{1,3}(/\d+)?\b", "<address>"),
    (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "<mac>"),
    // Where an engine keeps its volumes.
    (r#"(/[^\s/"':]+)+/volumes/"#, "<root>/volumes/"),
    (r"execDuration=\d+", "execDuration=<n>"),
    (r"\bgantry:? ", "docker "),
    (r"\bdocker: ", "docker "),
    (r"\bGantry\b", "Docker"),
    (r"Maximum supported API version is [\d.]+", "Maximum supported API version is <version>"),
    (r"Api-Version: [\d.]+", "Api-Version: <version>"),
    (r"Builder-Version: \d", "Builder-Version: <n>"),
    // Where in a template something is wrong is known to Go's templates only.
    (r"template: :1:\d+:", "template: :1:<n>:"),
    (r"gantry-\d+", "docker"),
    // Who has the port is said by us alone.
    (r"(already allocated|already in use) by [^\n]*?(\(pid \d+\)|container [\w-]+)", "$1"),
    (r" +\n", "\n"),
];

/// Exit code, standard output and standard error as one comparable text.
pub(crate) fn normalise(output: &Output) -> String {
    let text =
        format!("exit {}\n{}\n{}", output.code, output.stdout, prefixed("! ", &output.stderr));
    PATTERNS.iter().fold(text, |text, (pattern, name)| {
        let pattern = Regex::new(pattern).expect("the patterns above are regular expressions");
        pattern.replace_all(&text, *name).into_owned()
    })
}

fn prefixed(mark: &str, text: &str) -> String {
    text.lines().map(|line| format!("{mark}{line}\n")).collect()
}

#[test]
fn ids_times_and_addresses_are_taken_out() {
    let output = Output {
        code: 0,
        stdout: "0123456789ab up 2026-01-02T03:04:05.6Z at 172.17.0.2/16, 3 seconds ago".into(),
        stderr: "gantry: no".into(),
    };
    let expected = "exit 0\n<short id> up <time> at <address>, <age>\n! docker no\n";
    assert_eq!(normalise(&output), expected);
}
