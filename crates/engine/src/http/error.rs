//! The one place where an error becomes a status code.

use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::{Body, Response};
use crate::error::{Error, Kind};

pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::NotModified => StatusCode::NOT_MODIFIED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
        Kind::Unauthorized => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::System => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Serialize)]
struct Message {
    message: String,
}

/// As text alone, where the client expects a stream.
pub fn plain(error: &Error, content_type: &'static str) -> Response {
    let mut response = response(error);
    *response.body_mut() = Body::from(format!("{error}\r\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// As Go's server answers what it cannot read.
pub fn bad_request() -> Response {
    let mut response = Response::new(Body::from("400 Bad Request"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pub fn response(error: &Error) -> Response {
    let status = status(error.kind);
    if error.kind == Kind::System {
        tracing::error!(status = status.as_u16(), "{error}");
    } else {
        tracing::debug!(status = status.as_u16(), "{error}");
    }
    let mut response = match error.kind {
        // 304 has no body.
        Kind::NotModified => Response::new(Body::empty()),
        _ => super::json::json(&Message { message: error.to_string() }),
    };
    *response.status_mut() = status;
    response
}
