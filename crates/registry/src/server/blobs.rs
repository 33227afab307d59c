//! `GET`, `HEAD` and `DELETE` of `/v2/<name>/blobs/<digest>`.

use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use hyper::{Method, StatusCode};
use oci::digest::Digest;

use super::error::{Code, Error};
use super::http::{Call, add, empty};
use super::names::Repository;
use super::range::Wanted;
use super::registry::{CONTENT_DIGEST, Registry};
use super::storage::{Content, Storage};
use super::{Response, layout};

impl Registry {
    pub(super) async fn blob(
        &self,
        call: &Call,
        repository: Repository,
        digest: Digest,
    ) -> Result<Response, Error> {
        let link = layout::blob_link(&repository, &digest);
        let may_refer = call.method == Method::HEAD && !self.read_only && self.upstream.is_none();
        let has = move |storage: &Storage| {
            if !may_refer {
                return storage.exists(&link);
            }
            // Who asks whether it is here may be about to refer to it instead of sending it.
            let _held = storage.shared()?;
            storage.renew(&link)
        };
        let mut content = None;
        if self.storage.blocking(has).await? {
            content = self.storage.open_content(layout::blob(&digest)).await?;
        }
        if let (None, Some(upstream)) = (&content, &self.upstream) {
            content = Some(upstream.blob(self, call, &repository, &digest).await?);
        }
        Ok(answer(call, &digest, &content.ok_or_else(unknown)?))
    }

    pub(super) async fn delete_blob(
        &self,
        repository: Repository,
        digest: Digest,
    ) -> Result<Response, Error> {
        let link = layout::blob_link(&repository, &digest);
        let removed = self
            .storage
            .blocking(move |storage| {
                let held = storage.alone()?;
                storage.remove(&held, &link)
            })
            .await?;
        if !removed {
            return Err(unknown());
        }
        Ok(empty(StatusCode::ACCEPTED, [(CONTENT_DIGEST, digest.to_string())]))
    }
}

pub(super) fn unknown() -> Error {
    Error::new(Code::BlobUnknown, "blob unknown to registry")
}

fn answer(call: &Call, digest: &Digest, content: &Content) -> Response {
    let etag = format!("\"{digest}\"");
    let (status, part) = match Wanted::of(&call.headers, &etag, content.size) {
        Wanted::Whole => (StatusCode::OK, 0..content.size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::NotModified => {
            return empty(
                StatusCode::NOT_MODIFIED,
                [(ETAG, etag), (CONTENT_DIGEST, digest.to_string())],
            );
        }
        Wanted::Unsatisfiable => {
            return Error::new(Code::RangeInvalid, "the range is not within the blob")
                .with_header(CONTENT_RANGE, format!("bytes */{}", content.size))
                .response();
        }
    };
    let mut response = empty(
        status,
        [
            (CONTENT_DIGEST, digest.to_string()),
            (ETAG, etag),
            (CONTENT_LENGTH, (part.end - part.start).to_string()),
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (ACCEPT_RANGES, "bytes".to_owned()),
            (CACHE_CONTROL, "max-age=31536000".to_owned()),
        ],
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{}", part.start, part.end - 1, content.size);
        add(&mut response, [(CONTENT_RANGE, range)]);
    }
    if call.method != Method::HEAD {
        *response.body_mut() = content.body(part);
    }
    response
}
