//! `gantry manifest push`: a list of here into a registry, with the manifests that its repository lacks.

use bytes::Bytes;
use oci::{Descriptor, Digest, Reference};
use registry::client::{Repository, Which};
use sha2::{Digest as _, Sha256};

use super::entry::{self, Entry};
use super::full;
use super::lists::Lists;
use super::remote::{Remote, told};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[
    Flag::bool("insecure", "Allow push to an insecure registry"),
    Flag::bool("purge", "Remove the local manifest list after push").short('p'),
];

pub(crate) const COMMAND: Command = Command {
    name: "push",
    aliases: &[],
    paths: &["manifest push"],
    usage: "[OPTIONS] MANIFEST_LIST",
    about: "Push a manifest list to a repository",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let list = full(parsed.arg(0))?;
    let lists = Lists::of(context);
    let entries = lists.all(&list)?;
    if entries.is_empty() {
        return Err(Failure::new(format!("{list} not found")));
    }
    for entry in &entries {
        check(entry, &list)?;
    }
    let repository = Remote::new(context, parsed.bool("insecure")).open(&list).await?;
    for entry in entries.iter().filter(|entry| entry.name.name() != list.name()) {
        push(&repository, entry, &list).await?;
    }
    let (kind, text) = entry::list(&entries);
    let digest = Digest::from_sha256(Sha256::digest(&text).into());
    put(&repository, &list, &Which::of(&list), kind, text.into()).await?;
    say(digest)?;
    if parsed.bool("purge") {
        lists.remove(&list)?;
    }
    Ok(0)
}

fn check(entry: &Entry, list: &Reference) -> Result<()> {
    if entry.name.domain() != list.domain() {
        return Err(Failure::new(format!(
            "cannot use source images from a different registry than the target image: {} != {}",
            entry.name.domain(),
            list.domain()
        )));
    }
    match entry.has_platform() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "manifest {} must have an OS and Architecture to be pushed to a registry",
            entry.name
        ))),
    }
}

/// A manifest of another repository, with what it consists of.
async fn push(repository: &Repository, entry: &Entry, list: &Reference) -> Result<()> {
    let manifest = entry.manifest()?;
    // What has addresses of its own is nowhere in a registry.
    let here = |blob: &&Descriptor| blob.urls.is_empty();
    for blob in std::iter::once(&manifest.config).chain(&manifest.layers).filter(here) {
        mount(repository, &blob.digest, &entry.name).await?;
    }
    let digest = &entry.descriptor.digest;
    let (which, kind) = (Which::Digest(digest.clone()), &entry.descriptor.media_type);
    put(repository, list, &which, kind, entry.bytes.clone()).await?;
    say(format!("Pushed ref {}@{digest} with digest: {digest}", list.name()))
}

async fn mount(repository: &Repository, digest: &Digest, source: &Reference) -> Result<()> {
    let told = |error| told(error, source);
    if repository.has_blob(digest).await.map_err(told)? {
        return Ok(());
    }
    match repository.mount(digest, source.path()).await.map_err(told)? {
        true => Ok(()),
        false => Err(Failure::new(format!("failed to mount blob {digest} from {}", source.name()))),
    }
}

async fn put(
    repository: &Repository,
    list: &Reference,
    which: &Which,
    kind: &str,
    bytes: Bytes,
) -> Result<()> {
    repository.put_manifest(which, kind, bytes).await.map_err(|error| told(error, list))
}
