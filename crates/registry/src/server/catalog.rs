//! `GET /v2/_catalog`: the repositories that have manifests.

use std::io;

use hyper::header::LINK;
use serde_json::json;

use super::Response;
use super::directory::Kind;
use super::error::Error;
use super::http::{Call, add, json};
use super::layout;
use super::names::Repository;
use super::page::Page;
use super::registry::Registry;
use super::storage::Storage;

impl Registry {
    pub(super) async fn catalog(&self, call: &Call) -> Result<Response, Error> {
        let page = Page::parse(&call.query)?;
        let names = self.storage.blocking(repositories).await?;
        let shown = names.iter().filter(|name| self.access.shows(&call.identity, name));
        let (names, more) = page.of(shown.map(Repository::as_str));
        let mut response = json(json!({"repositories": names}).to_string());
        if let (true, Some(end)) = (more, names.last()) {
            add(&mut response, [(LINK, page.link("/v2/_catalog", end))]);
        }
        Ok(response)
    }
}

/// All that have manifests, sorted by their whole names.
pub(super) fn repositories(storage: &Storage) -> io::Result<Vec<Repository>> {
    let mut found = Vec::new();
    for repository in all_repositories(storage)? {
        let manifests = layout::manifests(&repository);
        let mut algorithms = storage.list(&manifests)?.into_iter();
        let some = algorithms.try_fold(false, |some, (algorithm, _)| {
            Ok::<_, io::Error>(some || !storage.list(&manifests.below(&algorithm))?.is_empty())
        });
        if some? {
            found.push(repository);
        }
    }
    Ok(found)
}

/// All of which there is anything, sorted.
pub(super) fn all_repositories(storage: &Storage) -> io::Result<Vec<Repository>> {
    let mut found = Vec::new();
    let mut folders = vec![(layout::repositories(), String::new())];
    while let Some((folder, name)) = folders.pop() {
        let mut is_one = false;
        for (part, kind) in storage.list(&folder)? {
            match (part.starts_with('_'), kind) {
                (true, _) => is_one = true,
                (false, Kind::Folder) => folders.push((folder.below(&part), join(&name, &part))),
                (false, Kind::File) => {}
            }
        }
        // What somebody else put into the storage is none of ours.
        found.extend(Repository::parse(&name).ok().filter(|_| is_one));
    }
    found.sort();
    Ok(found)
}

fn join(name: &str, part: &str) -> String {
    if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") }
}
