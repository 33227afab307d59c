//! COPY and ADD.

use std::collections::BTreeMap;

use oci::Digest;

use super::graph::{Copy, Inline, Op, Source, Unpack};
use super::stage::{CONTEXT, Planner, Stage};
use super::{Entry, Error};
use crate::dockerfile::{self, Heredoc, Instruction, Located};

impl Planner<'_> {
    pub(super) fn copy(
        &mut self,
        stage: &mut Stage,
        copy: &dockerfile::Copy,
        instruction: &Located<Instruction>,
        adds: bool,
    ) -> Result<(), Error> {
        let lines = &instruction.lines;
        let at = || Error::at(lines);
        let keyword = if adds { "ADD" } else { "COPY" };
        let destination = stage.scope.word(&copy.destination).map_err(at())?;
        let paths = self.paths(stage, copy).map_err(at())?;
        let into = destination.ends_with('/') || matches!(destination.as_str(), "." | "");
        let into = into || destination.ends_with("/.");
        if paths.len() > 1 && !into {
            let message = format!(
                "When using {keyword} with more than one source file, the destination must be a directory and end with a /"
            );
            return Err(at()(message));
        }
        let chown = stage.scope.optional(copy.chown.as_ref()).map_err(at())?;
        let chmod = stage.scope.optional(copy.chmod.as_ref()).map_err(at())?;
        let mut inputs = vec![stage.vertex];
        let mut sources = Vec::new();
        for path in &paths {
            let (vertex, path, unpack) = match path {
                Given::Document(heredoc) => (
                    self.inline(stage, heredoc).map_err(at())?,
                    heredoc.name.clone(),
                    Unpack::Never,
                ),
                Given::Path(path) if adds => self.added(stage, copy, path).map_err(at())?,
                Given::Path(path) => {
                    let vertex = match &copy.from {
                        None => self.local(CONTEXT),
                        Some(from) => self.source(from, lines, &stage.platform)?,
                    };
                    (vertex, path.clone(), Unpack::Never)
                }
            };
            let input = inputs.iter().skip(1).position(|input| *input == vertex);
            let input = input.map_or(inputs.len(), |at| at + 1);
            if input == inputs.len() {
                inputs.push(vertex);
            }
            sources.push(Source { input, path, unpack });
        }
        let created_by = history(keyword, &paths, &destination, chown.as_deref(), chmod.as_deref());
        let exclude = copy.exclude.iter().map(|pattern| stage.scope.word(pattern));
        let op = Op::Copy(Copy {
            sources,
            destination: stage.absolute(&destination),
            into,
            chown,
            chmod,
            link: copy.link,
            parents: copy.parents,
            exclude: exclude.collect::<Result<_, _>>().map_err(at())?,
        });
        self.step(stage, op, inputs, instruction, &instruction.text)?;
        stage.history.push(Entry { created_by, vertex: Some(stage.vertex) });
        Ok(())
    }

    fn paths<'c>(
        &self,
        stage: &Stage,
        copy: &'c dockerfile::Copy,
    ) -> Result<Vec<Given<'c>>, String> {
        let path = |source: &'c dockerfile::Source| match source {
            dockerfile::Source::Path(path) => stage.scope.word(path).map(Given::Path),
            dockerfile::Source::Heredoc(heredoc) => Ok(Given::Document(heredoc)),
        };
        copy.sources.iter().map(path).collect()
    }

    fn inline(&mut self, stage: &Stage, heredoc: &Heredoc) -> Result<usize, String> {
        let content = match heredoc.expand {
            true => stage.scope.document(&heredoc.text())?,
            false => heredoc.text(),
        };
        let op = Op::Inline(Inline { files: BTreeMap::from([(heredoc.name.clone(), content)]) });
        Ok(self.share(&format!("{op:?}"), || (op, "[internal] preparing inline document".into())))
    }

    /// A source of ADD: an address, a repository, or a path whose archives are unpacked.
    fn added(
        &mut self,
        stage: &Stage,
        copy: &dockerfile::Copy,
        path: &str,
    ) -> Result<(usize, String, Unpack), String> {
        let checksum = stage.scope.optional(copy.checksum.as_ref())?;
        if is_repository(path) {
            let keep = copy.keep_git_dir.unwrap_or(false);
            return Ok((self.git(path, keep, checksum), "/".into(), Unpack::Never));
        }
        if is_address(path) {
            let checksum = checksum.map(|text| {
                Digest::parse(&text).map_err(|error| format!("invalid checksum digest: {error}"))
            });
            let unpack = if copy.unpack == Some(true) { Unpack::Try } else { Unpack::Never };
            let vertex = self.http(path, checksum.transpose()?);
            return Ok((vertex, "*".into(), unpack));
        }
        if checksum.is_some() {
            return Err("checksum can't be specified for ADD of local files".into());
        }
        let unpack = if copy.unpack == Some(false) { Unpack::Never } else { Unpack::Try };
        Ok((self.local(CONTEXT), path.to_owned(), unpack))
    }
}

enum Given<'c> {
    Path(String),
    Document(&'c Heredoc),
}

fn history(
    keyword: &str,
    paths: &[Given<'_>],
    destination: &str,
    chown: Option<&str>,
    chmod: Option<&str>,
) -> String {
    let mut words = vec![keyword.to_owned()];
    words.extend(chown.map(|owner| format!("--chown={owner}")));
    words.extend(chmod.map(|mode| format!("--chmod={mode}")));
    words.extend(paths.iter().map(|path| match path {
        Given::Path(path) => path.clone(),
        Given::Document(heredoc) => format!("<<{}", heredoc.name),
    }));
    words.push(destination.to_owned());
    words.push("# buildkit".into());
    words.join(" ")
}

fn is_address(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// `git@host:path`, `git://`, `ssh://`, or an address of a repository: `https://host/name.git#branch`.
pub(super) fn is_repository(path: &str) -> bool {
    if ["git://", "ssh://", "git@"].iter().any(|start| path.starts_with(start)) {
        return true;
    }
    let address = path.split(['#', '?']).next().unwrap_or(path);
    is_address(path) && address.ends_with(".git")
}
