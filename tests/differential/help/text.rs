//! A help text taken apart: paragraphs, and lists with a row for each command or flag.

pub(super) struct Text(Vec<Block>);

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
pub(super) enum Layout {
    AsItIs,
    RowsInALine,
}

impl Text {
    pub(super) fn read(text: &str) -> Self {
        let mut blocks: Vec<Block> = text
            .split("\n\n")
            .map(|block| block.trim_matches('\n'))
            .filter(|block| !block.is_empty())
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

    /// The commands that it lists, each with its noun. Programs of others, which have a star, are not Docker's.
    pub(super) fn commands(&self, noun: &str) -> Vec<String> {
        let rows = self.0.iter().flat_map(|block| match block {
            Block::List { title, rows } if title.ends_with("Commands:") => rows.as_slice(),
            _ => &[],
        });
        let names = rows.map(|row| row.name.as_str()).filter(|name| !name.ends_with('*'));
        names.map(|name| format!("{noun} {name}").trim_start().to_owned()).collect()
    }

    /// The whole but for the rows of these commands and flags, and of programs of others.
    pub(super) fn without(&self, names: &[String], layout: Layout) -> String {
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
