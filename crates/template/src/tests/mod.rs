//! Templates over one container's `inspect`; `cases.txt` has what Docker 26 (Go 1.24) made of each.

use super::*;

const CONTAINER: &str = include_str!("container.json");
/// A template after `#`, then the lines of its result, indented, or after `!` what was wrong with it.
const CASES: &str = include_str!("cases.txt");

struct Case {
    template: &'static str,
    expected: Result<String, String>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut first = true;
    for line in CASES.lines() {
        if let Some(template) = line.strip_prefix("# ") {
            cases.push(Case { template, expected: Ok(String::new()) });
            first = true;
            continue;
        }
        let case = cases.last_mut().expect("a template comes first");
        match (&mut case.expected, line.strip_prefix("  ")) {
            (Ok(text), Some(line)) if first => line.clone_into(text),
            (Ok(text), Some(line)) => *text += &format!("\n{line}"),
            (expected, _) => *expected = Err(line.trim_start_matches("! ").to_owned()),
        }
        first = false;
    }
    cases
}

fn container() -> Json {
    Json::parse(CONTAINER.as_bytes()).unwrap()
}

fn render(template: &str, document: &Json) -> Result<String, String> {
    Format::parse(template, Of::Objects)?
        .inspect(document, "types.ContainerJSON")
        .map_err(|failed| failed.what)
}

#[test]
fn every_template_does_what_it_does_in_docker() {
    let (container, cases) = (container(), cases());
    assert!(cases.len() > 350, "only {} templates are compared", cases.len());
    let differences: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let result = render(case.template, &container);
            (result != case.expected)
                .then(|| format!("{}\n  {:?}\n  {result:?}", case.template, case.expected))
        })
        .collect();
    assert!(differences.is_empty(), "{} differ\n{}", differences.len(), differences.join("\n"));
}

/// Recursion ends earlier than in Go, whose stack grows.
#[test]
fn what_never_ends_is_ended() {
    let error = |template: &str| render(template, &container()).unwrap_err();
    let recursion = r#"{{define "r"}}{{template "r"}}{{end}}{{template "r"}}"#;
    assert!(error(recursion).ends_with("exceeded maximum template depth (200)"));
    let growing =
        r#"{{define "g"}}{{template "g" (print . . .)}}{{end}}{{template "g" "0123456789"}}"#;
    assert!(error(growing).contains("too long"), "{}", error(growing));
    let flood = format!("{{{{range 100000000}}}}{}{{{{end}}}}", "0123456789".repeat(100));
    assert!(error(&flood).contains("longer than 64 MiB"));
    assert!(error("{{range 99999999999}}{{end}}").contains("more than 10000000 steps"));
    let wide = r#"{{pad "x" 99999999999 0}}"#;
    assert!(error(wide).contains("Repeat output length overflow"));
    assert!(error(&"{{if 1}}".repeat(10_000)).contains("levels inside one another"));
    assert!(error(&format!("{{{{{}1", "(".repeat(10_000))).contains("levels inside one another"));
}

/// Pieces of templates in any order: most make no sense, none may panic.
#[test]
fn no_template_panics() {
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "- ",
        ".",
        ".Name",
        ".Config.Env",
        "$",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        "\"a\"",
        "`r`",
        "'c'",
        "'",
        "\"",
        "1",
        "-1",
        "1.5",
        "0x",
        "1e999",
        "nil",
        "true",
        "range",
        "if",
        "with",
        "else",
        "end",
        "define",
        "template",
        "block",
        "break",
        "continue",
        "printf",
        "\"%[2]*d %!é%\"",
        "index",
        "slice",
        "len",
        "eq",
        "lt",
        "and",
        "or",
        "not",
        "json",
        "join",
        "split",
        "pad",
        "truncate",
        "title",
        "html",
        "js",
        "urlquery",
        "call",
        "print",
        "é",
        "\n",
        "\\",
        "/*",
        "*/",
        ",",
        "9999",
        ".State",
        "{{end}}",
        "{{range .Config.Env}}",
        "{{if .Name}}",
        "{{.}}",
    ];
    let container = container();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("smaller than a usize")
    };
    let mut rendered = 0;
    for _ in 0..4_000 {
        let count = 1 + random(14);
        let mut template: String = (0..count).map(|_| PIECES[random(PIECES.len())]).collect();
        if random(2) == 0 {
            template = format!("{{{{{template}}}}}");
        }
        rendered += usize::from(render(&template, &container).is_ok());
    }
    assert!(rendered > 100, "only {rendered} of them meant anything");
}
