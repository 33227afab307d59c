//! `/v2/<name>/manifests/<reference>`.

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use oci::{Digest, Reference, manifest, media_type};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::content::Content;
use super::error::{Error, Result, printable};
use super::{Answer, Repository};

const DIGEST: &str = "docker-content-digest";

/// What of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Tag(String),
    Digest(Digest),
}

/// A manifest or an index, whose digest was computed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub bytes: Bytes,
    pub media_type: String,
    pub digest: Digest,
}

impl Which {
    /// Of a reference: its digest, else its tag.
    pub fn of(reference: &Reference) -> Self {
        match (reference.digest(), reference.tag()) {
            (Some(digest), _) => Self::Digest(digest.clone()),
            (None, tag) => Self::Tag(tag.unwrap_or(oci::reference::DEFAULT_TAG).to_owned()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Tag(tag) => tag,
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl Repository {
    /// # Errors
    /// Also what is larger than any manifest may be, and what does not have the digest that was asked for or promised.
    pub async fn manifest(&self, which: &Which) -> Result<Fetched> {
        let path = self.path_of(&format!("manifests/{}", which.text()));
        let asked = self.ask_patiently(Method::GET, &path, &accepted(), &Content::Nothing).await;
        let answer = asked.map_err(|error| match (error, which) {
            // Docker's first question about a tag.
            (Error::NoCredentials { url, .. }, Which::Tag(_)) => {
                Error::NoCredentials { method: "Head".to_owned(), url }
            }
            (error, _) => error,
        })?;
        let media_type = answer.header(CONTENT_TYPE).unwrap_or_default();
        let media_type = printable(media_type.split(';').next().unwrap_or_default().trim());
        let promised = answer.header(DIGEST).and_then(|text| Digest::parse(text).ok());
        let bytes = answer.whole(manifest::MAX_BYTES).await?;
        let asked = match which {
            Which::Digest(digest) => Some(digest.clone()),
            Which::Tag(_) => promised,
        };
        if let Some(expected) = &asked
            && !has_digest(&bytes, expected)
        {
            return Err(Error::invalid(format!(
                "manifest verification failed for digest {expected}"
            )));
        }
        let digest = asked.unwrap_or_else(|| Digest::from_sha256(Sha256::digest(&bytes).into()));
        Ok(Fetched { bytes, media_type, digest })
    }

    /// Whether the registry has this manifest.
    pub async fn has_manifest(&self, which: &Which) -> Result<bool> {
        match self.look_for_manifest(which).await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The digest that the registry says a manifest has; `None` if it does not say.
    pub async fn promised_digest(&self, which: &Which) -> Result<Option<Digest>> {
        let answer = self.look_for_manifest(which).await?;
        Ok(answer.header(DIGEST).and_then(|text| Digest::parse(text).ok()))
    }

    async fn look_for_manifest(&self, which: &Which) -> Result<Answer<'_>> {
        let path = self.path_of(&format!("manifests/{}", which.text()));
        self.ask_patiently(Method::HEAD, &path, &accepted(), &Content::Nothing).await
    }

    /// Puts a manifest under a tag or its own digest.
    pub async fn put_manifest(&self, which: &Which, media_type: &str, bytes: Bytes) -> Result<()> {
        let path = self.path_of(&format!("manifests/{}", which.text()));
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_str(media_type);
        headers.insert(CONTENT_TYPE, kind.map_err(|_| Error::invalid("invalid media type"))?);
        self.ask_patiently(Method::PUT, &path, &headers, &Content::Bytes(bytes)).await.map(drop)
    }
}

/// Whether these bytes are what the digest names.
pub(super) fn has_digest(bytes: &[u8], digest: &Digest) -> bool {
    let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let found = match digest.algorithm() {
        "sha256" => hex(&Sha256::digest(bytes)),
        "sha384" => hex(&Sha384::digest(bytes)),
        "sha512" => hex(&Sha512::digest(bytes)),
        _ => return false,
    };
    found == digest.hex()
}

fn accepted() -> HeaderMap {
    let kinds = [
        media_type::OCI_INDEX,
        media_type::OCI_MANIFEST,
        media_type::DOCKER_INDEX,
        media_type::DOCKER_MANIFEST,
    ];
    let kinds = kinds.map(|kind| (ACCEPT, HeaderValue::from_static(kind)));
    let mut headers = HeaderMap::new();
    for (name, kind) in kinds {
        headers.append(name, kind);
    }
    headers
}
