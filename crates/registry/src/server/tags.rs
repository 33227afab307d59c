//! `GET /v2/<name>/tags/list`.

use hyper::header::LINK;
use serde_json::json;

use super::error::{Code, Error};
use super::http::{Call, add, json};
use super::names::Repository;
use super::page::Page;
use super::registry::Registry;
use super::{Response, layout};

impl Registry {
    pub(super) async fn tags(
        &self,
        call: &Call,
        repository: Repository,
    ) -> Result<Response, Error> {
        let page = Page::parse(&call.query)?;
        let (tags, manifests) = (layout::tags(&repository), layout::manifests(&repository));
        let listed = self.storage.blocking(move |storage| {
            let names = storage.list(&tags)?;
            Ok((!names.is_empty() || storage.has_folder(&manifests)?).then_some(names))
        });
        let names = match &self.upstream {
            Some(upstream) => upstream.tags(&repository).await?,
            None => None,
        };
        let names = match names {
            Some(names) => names,
            None => listed.await?.ok_or_else(unknown)?.into_iter().map(|(name, _)| name).collect(),
        };
        let (tags, more) = page.of(names);
        let mut response = json(json!({"name": repository.as_str(), "tags": tags}).to_string());
        if let (true, Some(end)) = (more, tags.last()) {
            let path = format!("/v2/{repository}/tags/list");
            add(&mut response, [(LINK, page.link(&path, end))]);
        }
        Ok(response)
    }
}

pub(super) fn unknown() -> Error {
    Error::new(Code::NameUnknown, "repository name not known to registry")
}
