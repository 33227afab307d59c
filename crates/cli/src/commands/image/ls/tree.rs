//! `images --tree`: an image below the one whose layers it begins with, and how much of each is its own.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::IsTerminal;

use api::Filters;
use api::images::Summary;
use client::Client;
use client::images::List;
use serde::Deserialize;

use crate::error::{Failure, Result};
use crate::flags::Parsed;
use crate::output::units::{human_size, short_id};
use crate::output::{print, table};

/// What a tree has no place for.
const NOT_WITH_IT: [&str; 3] = ["quiet", "format", "digests"];

/// An image and the layers it consists of, the lowest first.
struct Image {
    summary: Summary,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "RootFS")]
    root: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(rename = "Layers", default)]
    layers: Option<Vec<String>>,
}

/// Prints the images as a tree, with lines between them where a person looks, with blanks where a program reads.
pub(super) async fn show(client: &Client, parsed: &Parsed, filters: Filters) -> Result<()> {
    let list = List { all: parsed.bool("all"), filters, shared_size: true };
    let images = with_layers(client, client.image_list(&list).await?).await?;
    let branches = if std::io::stdout().is_terminal() { LINES } else { BLANKS };
    print(drawn(&images, branches, parsed.bool("no-trunc")))
}

/// Before any engine is asked.
pub(super) fn check(parsed: &Parsed) -> Result<()> {
    match NOT_WITH_IT.iter().find(|flag| parsed.is_set(flag)) {
        Some(flag) => Err(Failure::new(format!("--{flag} is not yet supported with --tree"))),
        None => Ok(()),
    }
}

/// Without those that went meanwhile.
async fn with_layers(client: &Client, summaries: Vec<Summary>) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    for summary in summaries {
        let document = match client.image_inspect_raw(&summary.id, "").await {
            Err(error) if error.is_not_found() => continue,
            document => document?,
        };
        let inspected: Inspected =
            serde_json::from_slice(&document).map_err(client::Error::from)?;
        images.push(Image { summary, layers: inspected.root.layers.unwrap_or_default() });
    }
    Ok(images)
}

/// What stands before an image: next to others that follow, as the last one, and below each.
struct Branches {
    next: &'static str,
    last: &'static str,
    below_next: &'static str,
    below_last: &'static str,
}

const LINES: Branches =
    Branches { next: "├─ ", last: "└─ ", below_next: "│  ", below_last: "   " };
const BLANKS: Branches = Branches { next: "  ", last: "  ", below_next: "  ", below_last: "  " };

fn drawn(images: &[Image], branches: Branches, no_trunc: bool) -> String {
    let tree = Tree { images, children: children(images), branches, no_trunc };
    let mut text = "IMAGE\tIMAGE ID\tSIZE\tSHARED SIZE\tUNIQUE SIZE\n".to_owned();
    for root in tree.children.get(&None).into_iter().flatten() {
        text += &tree.line("", *root);
        tree.draw(*root, "", &mut text);
    }
    table::align(&text)
}

struct Tree<'a> {
    images: &'a [Image],
    children: BTreeMap<Option<usize>, Vec<usize>>,
    branches: Branches,
    no_trunc: bool,
}

impl Tree<'_> {
    /// What is below an image, no deeper than images have layers.
    fn draw(&self, parent: usize, indent: &str, text: &mut String) {
        let children = self.children.get(&Some(parent)).map_or(&[][..], Vec::as_slice);
        for (number, child) in children.iter().enumerate() {
            let last = number + 1 == children.len();
            let (branch, below) = match last {
                true => (self.branches.last, self.branches.below_last),
                false => (self.branches.next, self.branches.below_next),
            };
            *text += &self.line(&format!("{indent}{branch}"), *child);
            self.draw(*child, &format!("{indent}{below}"), text);
        }
    }

    fn line(&self, indent: &str, image: usize) -> String {
        let Summary { id, repo_tags, size, shared_size, .. } = &self.images[image].summary;
        let names = repo_tags.iter().flatten().filter(|tag| !tag.starts_with("<none>"));
        let names = names.cloned().collect::<Vec<_>>().join(", ");
        let name = if names.is_empty() { "<none>" } else { &names };
        let id = if self.no_trunc { id.clone() } else { short_id(id) };
        let [size, shared, unique] =
            [*size, *shared_size, size - shared_size].map(|bytes| human_size(bytes as f64, 3));
        format!("{indent}{name}\t{id}\t{size}\t{shared}\t{unique}\n")
    }
}

/// The images below each, in the order of their names; those that begin with no other are below nothing.
fn children(images: &[Image]) -> BTreeMap<Option<usize>, Vec<usize>> {
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for index in 0..images.len() {
        children.entry(parent(images, index)).or_default().push(index);
    }
    for list in children.values_mut() {
        list.sort_by_key(|index| {
            let summary = &images[*index].summary;
            (summary.repo_tags.clone(), summary.id.clone())
        });
    }
    children
}

/// The image with the most layers that this one begins with; of several with the same layers, the first that was made.
fn parent(images: &[Image], index: usize) -> Option<usize> {
    let order = |index: usize| {
        let Image { summary, layers } = &images[index];
        (Reverse(layers.len()), summary.created, summary.id.as_str())
    };
    let this = &images[index].layers;
    let begins_with = |other: &usize| {
        let layers = &images[*other].layers;
        !layers.is_empty() && this.starts_with(layers)
    };
    let first = (0..images.len()).filter(begins_with).min_by_key(|other| order(*other))?;
    if first != index {
        return Some(first);
    }
    let shorter = |other: &usize| images[*other].layers.len() < this.len() && begins_with(other);
    (0..images.len()).filter(shorter).min_by_key(|other| order(*other))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn image(name: &str, layers: &str, size: i64, shared_size: i64) -> Image {
        let repo_tags = (!name.is_empty()).then(|| vec![format!("{name}:latest")]);
        let id = format!("sha256:{:0>64}", layers.len() * 1000 + name.len());
        let created = layers.len() as i64;
        let layers = layers.split_terminator(' ').map(str::to_owned).collect();
        Image {
            summary: Summary { id, repo_tags, size, shared_size, created, ..Summary::default() },
            layers,
        }
    }

    fn images() -> Vec<Image> {
        vec![
            image("app", "a b c", 120, 110),
            image("python", "a b", 110, 110),
            image("other", "a d", 105, 100),
            image("debian", "a", 100, 100),
            image("labelled", "a b", 110, 110),
            image("labelled-again", "a b", 110, 110),
            image("scratch", "", 0, 0),
            image("", "x", 7, 0),
        ]
    }

    #[test]
    fn an_image_is_below_the_longest_that_it_begins_with() {
        expect![[r#"
            IMAGE                         IMAGE ID       SIZE      SHARED SIZE   UNIQUE SIZE
            <none>                        000000000000   7B        0B            7B
            debian:latest                 000000000000   100B      100B          0B
            ├─ other:latest               000000000000   105B      100B          5B
            └─ python:latest              000000000000   110B      110B          0B
               ├─ app:latest              000000000000   120B      110B          10B
               ├─ labelled-again:latest   000000000000   110B      110B          0B
               └─ labelled:latest         000000000000   110B      110B          0B
            scratch:latest                000000000000   0B        0B            0B
        "#]]
        .assert_eq(&drawn(&images(), LINES, false));
    }

    #[test]
    fn a_program_reads_no_lines_of_a_drawing() {
        let text = drawn(&images(), BLANKS, true);
        assert!(text.is_ascii() && text.contains("\n    app:latest "), "{text}");
        assert!(text.contains(&format!("sha256:{:0>64}", 1006)), "{text}");
    }
}
