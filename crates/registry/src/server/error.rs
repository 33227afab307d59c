//! What went wrong, by the specification's codes, and the one place that knows their statuses.

use std::io;

use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::Response;
use super::body::Body;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    RangeInvalid,
    SizeInvalid,
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unknown,
    Unsupported,
}

impl Code {
    /// As clients read it, and the status that it usually has.
    fn of(self) -> (&'static str, StatusCode) {
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Self::BlobUploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Self::Denied => ("DENIED", StatusCode::FORBIDDEN),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::ManifestInvalid => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
            Self::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST),
            Self::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::PaginationNumberInvalid => ("PAGINATION_NUMBER_INVALID", StatusCode::BAD_REQUEST),
            Self::RangeInvalid => ("RANGE_INVALID", StatusCode::RANGE_NOT_SATISFIABLE),
            Self::SizeInvalid => ("SIZE_INVALID", StatusCode::BAD_REQUEST),
            Self::TagInvalid => ("TAG_INVALID", StatusCode::BAD_REQUEST),
            Self::TooManyRequests => ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::Unknown => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Error {
    pub(super) code: Code,
    message: String,
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    #[source]
    source: Option<io::Error>,
}

impl Error {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let status = code.of().1;
        Self { code, message: message.into(), status, headers: Vec::new(), source: None }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn method_not_allowed(allowed: &str) -> Self {
        Self::new(Code::Unsupported, "the operation is unsupported").with_header(ALLOW, allowed)
    }

    pub(super) fn too_many(message: &str) -> Self {
        Self::new(Code::TooManyRequests, message).with_header(RETRY_AFTER, "30")
    }

    /// The answer; what the storage said is for the log alone.
    pub(super) fn response(&self) -> Response {
        if let Some(source) = &self.source {
            tracing::error!("{}: {source}", self.message);
        }
        let text =
            json!({"errors": [{"code": self.code.of().0, "message": self.message}]}).to_string();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        }
        response
    }
}

/// The storage failed, which is no client's fault and nothing that it is told the details of.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let full =
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let told = if full { "the storage is full" } else { "the storage failed" };
        let status =
            if full { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self { source: Some(error), ..Self::new(Code::Unknown, told).with_status(status) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_codes_name_and_keeps_the_storages_words() {
        let error = Error::from(io::Error::other("/srv/secret"));
        let response = error.response();
        assert_eq!(response.status(), 500);
        let Body::Whole(Some(text)) = response.body() else { panic!("a whole body") };
        assert_eq!(&text[..], br#"{"errors":[{"code":"UNKNOWN","message":"the storage failed"}]}"#);
        let allowed = Error::method_not_allowed("GET").response();
        assert_eq!(
            (allowed.status().as_u16(), &allowed.headers()["allow"]),
            (405, &HeaderValue::from_static("GET"))
        );
    }
}
