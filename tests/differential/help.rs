//! `--help` of every command that both have. What ours says beside Docker's words, and in other ones, is exactly what
//! the tables under "Help texts" of docs/differences.md list.

use testkit::peers::Peers;

use super::without_common;
use crate::help_text::{Layout, Text, Texts, ask_gantry, of_gantry, tree};

const DIFFERENCES: &str = include_str!("../../docs/differences.md");

/// No list shows these.
const HIDDEN: &[&str] = &["system dial-stdio", "volume update"];

/// Programs of their own, which come with other versions than Docker's client and lay out their texts in another way.
const OF_PLUGINS: &[&str] = &["build", "builder", "buildx", "compose", "image build"];

#[test]
fn help() {
    let Some(peers) = Peers::at_hand("help texts") else { return };
    let hidden: Vec<String> = HIDDEN.iter().map(|name| (*name).to_owned()).collect();
    let mut docker = tree(|names| of_docker(&peers, names));
    docker.extend(of_docker(&peers, &hidden));
    let mut ours = tree(of_gantry);
    ours.extend(of_gantry(&hidden));
    docker.retain(|name, _| !is_of_plugin(name));
    ours.retain(|name, _| !is_of_plugin(name));
    assert!(docker.len() > 80 && ours.len() > 60, "{} and {}", docker.len(), ours.len());
    let documented = Documented::read();
    let not_dockers: Vec<&String> =
        ours.keys().filter(|name| !docker.contains_key(*name)).collect();
    assert_eq!(not_dockers, documented.commands().iter().collect::<Vec<_>>());
    let missing: Vec<&String> = docker.keys().filter(|name| !ours.contains_key(*name)).collect();
    let in_silence: Vec<_> = missing.iter().filter(|name| !is_refused(name)).collect();
    assert!(in_silence.is_empty(), "neither here nor refused by name: {in_silence:?}");
    let differences: Vec<String> = ours
        .iter()
        .filter_map(|(name, seen)| {
            let (expected, seen) = documented.compared(name, docker.get(name)?, seen, &missing);
            let (was, is) = without_common(&expected, &seen);
            (expected != seen).then(|| format!("--- {name}\n{was}\n+++\n{is}"))
        })
        .collect();
    println!("{} help texts compared", ours.len() - not_dockers.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// All in one go, since each way into their namespaces takes its time.
fn of_docker(peers: &Peers, names: &[String]) -> Texts {
    let lines: String =
        names.iter().map(|name| format!("docker {name} --help; printf '\\f'\n")).collect();
    let output = peers.sh(&lines);
    assert_eq!(output.code, 0, "{output:?}");
    names.iter().cloned().zip(output.stdout.split('\u{c}').map(Text::read)).collect()
}

fn is_of_plugin(name: &str) -> bool {
    let is = |plugin: &&str| {
        name.strip_prefix(plugin).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    OF_PLUGINS.iter().any(is)
}

fn is_refused(name: &str) -> bool {
    ask_gantry(name).stderr.contains("is not in this version: it comes with")
}

/// What differs on purpose.
struct Documented {
    /// What ours has more: a command, its flags or commands.
    more: Vec<(String, Vec<String>)>,
    /// Docker's words, ours.
    words: Vec<(String, String)>,
}

impl Documented {
    fn read() -> Self {
        let (_, section) = DIFFERENCES.split_once("\n## Help texts\n").expect("there is a section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let tables: Vec<_> = section.split("\n\n").filter(|part| part.starts_with('|')).collect();
        let [more, words] = tables[..] else { panic!("{} tables", tables.len()) };
        let more = rows(more).flat_map(|[commands, more]| {
            commands.into_iter().map(move |command| (command, more.clone()))
        });
        let words = rows(words).map(|[docker, ours]| (docker.concat(), ours.concat()));
        Self { more: more.collect(), words: words.collect() }
    }

    fn more(&self, command: &str) -> &[String] {
        let name = if command.is_empty() { "gantry" } else { command };
        self.more.iter().find(|(of, _)| of == name).map_or(&[], |(_, names)| names)
    }

    /// Each command that is ours alone, in full.
    fn commands(&self) -> Vec<String> {
        let full = |of: &str, name: &str| match of {
            "gantry" => name.to_owned(),
            noun => format!("{noun} {name}"),
        };
        let all = self.more.iter().flat_map(|(of, names)| names.iter().map(move |it| full(of, it)));
        let mut commands: Vec<String> = all.filter(|name| !name.contains("--")).collect();
        commands.sort();
        commands
    }

    /// Both texts of a command, as they must be equal.
    fn compared(
        &self,
        name: &str,
        docker: &Text,
        ours: &Text,
        missing: &[&String],
    ) -> (String, String) {
        let mut more = self.more(name).to_vec();
        if name.is_empty() {
            // Docker lists them with a star.
            more.extend(["buildx", "compose"].map(str::to_owned));
        }
        let of_this = |other: &&String| Some(other.strip_prefix(name)?.trim_start().to_owned());
        let missing: Vec<String> = missing.iter().filter_map(of_this).collect();
        // A flag more may be wider than all the others, and sets them otherwise.
        let wider = more.iter().any(|name| name.starts_with("--"));
        let layout = if wider { Layout::RowsInALine } else { Layout::AsItIs };
        let docker = docker.without(&missing, layout);
        let replaced = |text: String, (from, to): &(String, String)| text.replace(from, to);
        let expected = self.words.iter().fold(docker, replaced);
        (one_name(expected.trim_end()), one_name(&ours.without(&more, layout)))
    }
}

/// What stands between back quotes in the first two cells of a table's rows.
fn rows(table: &str) -> impl Iterator<Item = [Vec<String>; 2]> {
    let quoted = |cell: &str| {
        cell.split('`').skip(1).step_by(2).map(|text| text.replace("\\|", "|")).collect::<Vec<_>>()
    };
    table.lines().skip(2).map(move |row| {
        let mut cells = row.trim_matches('|').split(" | ").map(quoted);
        [cells.next().unwrap_or_default(), cells.next().unwrap_or_default()]
    })
}

/// Both programs by one name, where the name is theirs to say.
fn one_name(text: &str) -> String {
    text.replace("gantry", "docker").replace("Gantry", "Docker")
}
