//! `/containers/{name}/archive`.

use std::io;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use api::containers::PathStat;

use super::body::BodyReader;
use super::{Body, Call, OnDisconnect, Response, Router};
use crate::containers::Extract;
use crate::error::{Error, Result};

const PATH: &str = "/containers/{name}/archive";
const STAT: HeaderName = HeaderName::from_static(api::containers::PATH_STAT);

pub fn routes(router: &mut Router) {
    router.get(PATH, get);
    router.add(Method::HEAD, PATH, OnDisconnect::Cancel, head);
    router.add(Method::PUT, PATH, OnDisconnect::Finish, put);
}

/// Docker's words for none, which lack a space.
fn path(call: &Call) -> Result<&str> {
    match call.query.get("path") {
        "" => Err(Error::invalid("bad parameter: pathcannot be empty")),
        path => Ok(path),
    }
}

async fn head(call: Call) -> Result<Response> {
    let stat = call.engine.containers.path_stat(&call.name, path(&call)?).await?;
    let mut response = Response::new(Body::empty());
    describe(&mut response, &stat);
    Ok(response)
}

async fn get(call: Call) -> Result<Response> {
    let archive = call.engine.containers.archive(&call.name, path(&call)?).await?;
    let (writer, body) = Body::stream();
    let mut response = Response::new(body);
    describe(&mut response, &archive.stat);
    let kind = HeaderValue::from_static("application/x-tar");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(64 << 10, writer.clone());
        if let Err(error) = archive.write(&mut out) {
            writer.fail_blocking(io::Error::other(error));
        }
        sys::allocator::trim();
    });
    Ok(response)
}

async fn put(call: Call) -> Result<Response> {
    let extract = Extract {
        keep_directories: call.query.flag("noOverwriteDirNonDir"),
        own_by_user: call.query.flag("copyUIDGID"),
    };
    let path = path(&call)?.to_owned();
    let tar = BodyReader::new(call.body);
    call.engine.containers.extract(&call.name, &path, extract, tar).await?;
    Ok(Response::new(Body::empty()))
}

fn describe(response: &mut Response, stat: &PathStat) {
    let value = HeaderValue::from_str(&stat.to_header()).expect("base64 is plain ASCII");
    response.headers_mut().insert(STAT, value);
}
