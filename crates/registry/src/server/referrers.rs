//! `GET /v2/<name>/referrers/<digest>`: the manifests whose subject is that digest, as an index.

use std::io;

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LINK};
use oci::descriptor::Descriptor;
use oci::digest::Digest;
use oci::media_type::OCI_INDEX;
use serde_json::json;

use super::error::Error;
use super::http::{Call, add, json};
use super::names::Repository;
use super::page::Page;
use super::query::encode;
use super::registry::Registry;
use super::storage::Storage;
use super::{Response, layout};

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Of an answer's list: clients take no more than 4 MiB. An entry that is larger comes alone.
const MAX_BYTES: usize = 3 << 20;

/// A page of referrers.
#[derive(Default)]
struct Listed {
    descriptors: Vec<Descriptor>,
    bytes: usize,
    /// The name after which the next page begins.
    next: Option<String>,
}

impl Registry {
    /// A subject that nobody has is one without referrers.
    pub(super) async fn referrers(
        &self,
        call: &Call,
        repository: Repository,
        subject: Digest,
    ) -> Result<Response, Error> {
        let page = Page::parse(&call.query)?;
        let kind =
            call.query.get("artifactType").filter(|kind| !kind.is_empty()).map(str::to_owned);
        let path = format!("/v2/{repository}/referrers/{subject}");
        let (filter, count) = (kind.clone(), page.count);
        let listed = self
            .storage
            .blocking(move |storage| list(storage, &repository, &subject, filter.as_deref(), &page))
            .await?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": listed.descriptors,
        });
        let mut response = json(index.to_string());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
        if kind.is_some() {
            add(&mut response, [(FILTERS, "artifactType".to_owned())]);
        }
        if let Some(next) = listed.next {
            let filter =
                kind.map_or(String::new(), |kind| format!("&artifactType={}", encode(&kind)));
            let link = format!("<{path}?last={next}&n={count}{filter}>; rel=\"next\"");
            add(&mut response, [(LINK, link)]);
        }
        Ok(response)
    }
}

fn list(
    storage: &Storage,
    repository: &Repository,
    subject: &Digest,
    kind: Option<&str>,
    page: &Page,
) -> io::Result<Listed> {
    let folder = layout::referrers(repository, subject);
    let mut listed = Listed::default();
    let mut end = String::new();
    for (name, _) in storage.list(&folder)? {
        if name <= page.last {
            continue;
        }
        let Some(text) = storage.read(&folder.below(&name))? else { continue };
        let Ok(descriptor) = serde_json::from_slice::<Descriptor>(&text) else { continue };
        // A push that was cut off leaves a referrer without its manifest.
        let is_there = || storage.exists(&layout::manifest(repository, &descriptor.digest));
        let is_wanted = kind.is_none_or(|kind| descriptor.artifact_type.as_deref() == Some(kind));
        if !is_wanted || !is_there()? {
            continue;
        }
        let is_full = listed.bytes + text.len() > MAX_BYTES && !listed.descriptors.is_empty();
        if listed.descriptors.len() == page.count || is_full {
            listed.next = (page.count > 0).then_some(end);
            break;
        }
        listed.bytes += text.len();
        listed.descriptors.push(descriptor);
        end = name;
    }
    Ok(listed)
}
