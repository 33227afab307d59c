//! Help texts taken apart: paragraphs, and lists with a row for each command or flag.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use testkit::engine::{Output, binary, finish};

/// Help texts by command; the one of the program itself has no name.
pub(crate) type Texts = BTreeMap<String, Text>;

/// The texts of the program, of what it lists, and of what that lists.
pub(crate) fn tree(texts: impl Fn(&[String]) -> Texts) -> Texts {
    let mut all = texts(&[String::new()]);
    let nouns = all[""].commands("");
    all.extend(texts(&nouns));
    let verbs: Vec<String> = nouns.iter().flat_map(|noun| all[noun].commands(noun)).collect();
    all.extend(texts(&verbs));
    all
}

/// What `gantry` says of these commands.
pub(crate) fn of_gantry(names: &[String]) -> Texts {
    let text = |name: &String| {
        let output = ask_gantry(name);
        assert_eq!(output.code, 0, "{name}: {output:?}");
        (name.clone(), Text::read(&output.stdout))
    };
    names.iter().map(text).collect()
}

pub(crate) fn ask_gantry(name: &str) -> Output {
    let mut command = Command::new(binary("gantry"));
    command.args(name.split_whitespace()).arg("--help").env("HOME", "/root");
    finish(command.env_remove("DOCKER_CONFIG").stdin(Stdio::null()))
}

/// Paragraphs of Docker's that ours lack: `manifest` is no experiment here, and its text is as short as others'.
const ASIDES: [&str; 4] = [
    "EXPERIMENTAL:",
    "To see help for a subcommand, use:",
    "    docker manifest CMD --help",
    "For full details on using docker manifest lists",
];
const AT_LENGTH: &str = "The **docker manifest** command";
const IN_SHORT: &str = "Manage Docker image manifests and manifest lists";

pub(crate) struct Text(Vec<Block>);

enum Block {
    Paragraph(String),
    List { title: String, rows: Vec<Row> },
}

struct Row {
    /// `run`, `--name`.
    name: String,
    lines: String,
}

/// How lists are to be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layout {
    AsItIs,
    RowsInALine,
}

impl Text {
    pub(crate) fn read(text: &str) -> Self {
        let mut blocks: Vec<Block> = text
            .split("\n\n")
            .map(|block| block.trim_matches('\n'))
            .filter(|block| {
                !block.is_empty() && !ASIDES.iter().any(|aside| block.starts_with(aside))
            })
            .map(|block| if block.starts_with(AT_LENGTH) { IN_SHORT } else { block })
            .map(Block::read)
            .collect();
        // What Docker says of `volume rm` by way of example.
        let example =
            |block: &Block| matches!(block, Block::Paragraph(text) if text == "Examples:");
        if let Some(at) = blocks.iter().position(example) {
            blocks.drain(at..at + 2);
        }
        Self(blocks)
    }

    /// The flags that it lists, with their dashes.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &str> {
        self.rows(|title| title.ends_with("Options:"))
    }

    fn rows(&self, of: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
        let rows = self.0.iter().flat_map(move |block| match block {
            Block::List { title, rows } if of(title) => rows.as_slice(),
            _ => &[],
        });
        rows.map(|row| row.name.as_str())
    }

    /// The commands that it lists, each with its noun. Programs of others, which have a star, are not Docker's.
    pub(crate) fn commands(&self, noun: &str) -> Vec<String> {
        let names = self.rows(|title| title.ends_with("Commands:"));
        let names = names.filter(|name| !name.ends_with('*'));
        names.map(|name| format!("{noun} {name}").trim_start().to_owned()).collect()
    }

    /// The whole but for the rows of these commands and flags, and of programs of others.
    pub(crate) fn without(&self, names: &[String], layout: Layout) -> String {
        let blocks = self.0.iter().filter_map(|block| match block {
            Block::Paragraph(text) => Some(text.clone()),
            Block::List { title, rows } => {
                let kept = rows
                    .iter()
                    .filter(|row| !names.contains(&row.name) && !row.name.ends_with('*'))
                    .map(|row| row.laid_out(layout));
                let kept = kept.collect::<Vec<_>>().join("\n");
                (!kept.is_empty()).then(|| format!("{title}\n{kept}"))
            }
        });
        blocks.collect::<Vec<_>>().join("\n\n")
    }
}

impl Row {
    fn laid_out(&self, layout: Layout) -> String {
        match layout {
            Layout::AsItIs => self.lines.clone(),
            Layout::RowsInALine => self.lines.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}

impl Block {
    fn read(text: &str) -> Self {
        let (title, lines) = text.split_once('\n').unwrap_or((text, ""));
        if !title.ends_with("Commands:") && !title.ends_with("Options:") {
            return Self::Paragraph(text.to_owned());
        }
        let mut rows: Vec<Row> = Vec::new();
        for line in lines.lines() {
            match (name(line), rows.last_mut()) {
                (None, Some(row)) => row.lines = format!("{}\n{line}", row.lines),
                (name, _) => rows.push(Row { name: name.unwrap_or_default(), lines: line.into() }),
            }
        }
        Self::List { title: title.to_owned(), rows }
    }
}

/// What the row that begins with this line is about; nothing where a row goes on.
fn name(line: &str) -> Option<String> {
    let indent = line.len() - line.trim_start().len();
    let words = line.split_whitespace();
    match indent {
        0..=6 => words.take(2).find(|word| !word.ends_with(',')).map(str::to_owned),
        _ => None,
    }
}

#[test]
fn rows_are_told_from_their_continuations() {
    let text = Text::read(
        "\nUsage:  docker x\n\nDoes x\n\nCommands:\n  ls   List\n  y*   Other\n\nOptions:\n  -a, --all    All\n               \
         of it\n      --grep x   Search\n",
    );
    assert_eq!(text.commands("x"), ["x ls"]);
    let names = ["--grep".to_owned(), "ls".to_owned()];
    let left = text.without(&names, Layout::RowsInALine);
    assert_eq!(left, "Usage:  docker x\n\nDoes x\n\nOptions:\n-a, --all All of it");
    let left = text.without(&["--all".to_owned(), "ls".to_owned()], Layout::AsItIs);
    assert_eq!(left, "Usage:  docker x\n\nDoes x\n\nOptions:\n      --grep x   Search");
}
