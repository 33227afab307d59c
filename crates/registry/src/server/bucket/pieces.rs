//! One object of several: the storage copies the pieces itself, and the whole appears at once.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use tokio::task::JoinSet;

use super::remote::{Ask, Remote};
use super::{Bucket, age, xml};

/// Copied at once.
const SIDE_BY_SIDE: usize = 8;

/// Its number, and the version that the storage has of it.
type Part = (usize, String);

impl Bucket {
    /// The objects of these keys one after the other, and a rest behind them.
    pub(super) fn join(&self, key: &str, pieces: &[String], rest: Bytes) -> io::Result<()> {
        self.runtime.block_on(join(&self.remote, key, pieces, rest))
    }

    /// Ends what nobody goes on with.
    pub(in crate::server) fn sweep_joins(&self, older: Duration) -> io::Result<()> {
        let ask = Ask::bucket(Method::GET)
            .query("uploads", "")
            .query("prefix", format!("{}blobs/", self.remote.prefix));
        let told = self.tell(&ask)?;
        if told.is_absent() {
            // So some say that there are none.
            return Ok(());
        }
        let told = told.success(&ask)?;
        let now = told.header("date").and_then(super::time).unwrap_or_else(jiff::Timestamp::now);
        let text = String::from_utf8_lossy(&told.body).into_owned();
        for one in xml::elements(&text, "Upload") {
            let begun = xml::text(one, "Initiated").and_then(|text| text.parse().ok());
            let key = xml::text(one, "Key");
            let own = key.as_deref().and_then(|key| key.strip_prefix(&self.remote.prefix));
            if let (Some(begun), Some(key), Some(id)) = (begun, own, xml::text(one, "UploadId"))
                && age(begun, now) > older
            {
                self.tell(&Ask::of(Method::DELETE, key).query("uploadId", id))?;
            }
        }
        Ok(())
    }
}

async fn join(remote: &Arc<Remote>, key: &str, pieces: &[String], rest: Bytes) -> io::Result<()> {
    let ask = Ask::of(Method::POST, key).query("uploads", "");
    let told = remote.tell(&ask).await?.success(&ask)?;
    let id = xml::text(&String::from_utf8_lossy(&told.body), "UploadId")
        .ok_or_else(|| io::Error::other("the storage begins no upload of parts"))?;
    let joined = fill(remote, key, &id, pieces, rest).await;
    if joined.is_err() {
        // What stays is swept later.
        let _ = remote.tell(&Ask::of(Method::DELETE, key).query("uploadId", id)).await;
    }
    joined
}

async fn fill(
    remote: &Arc<Remote>,
    key: &str,
    id: &str,
    pieces: &[String],
    rest: Bytes,
) -> io::Result<()> {
    let part = |number: usize| {
        Ask::of(Method::PUT, key).query("partNumber", number.to_string()).query("uploadId", id)
    };
    let asks: Vec<(usize, Ask)> = pieces
        .iter()
        .enumerate()
        .map(|(at, piece)| (at + 1, part(at + 1).header("x-amz-copy-source", remote.source(piece))))
        .collect();
    let mut parts = copy_all(remote, asks).await?;
    if !rest.is_empty() {
        let number = pieces.len() + 1;
        let ask = part(number).body(rest);
        let told = remote.tell(&ask).await?.success(&ask)?;
        let version = told.header("etag").map(str::to_owned);
        parts.push((number, version.ok_or_else(|| told.failure(&ask))?));
    }
    let mut list = String::from("<CompleteMultipartUpload>");
    for (number, version) in parts {
        let version = xml::escape(&version);
        let _ =
            write!(list, "<Part><PartNumber>{number}</PartNumber><ETag>{version}</ETag></Part>");
    }
    list += "</CompleteMultipartUpload>";
    let ask = Ask::of(Method::POST, key).query("uploadId", id).body(list);
    let told = remote.tell(&ask).await?;
    if told.is_absent() {
        // It was sent twice, and the first time has done it; or somebody else has.
        let there = Ask::of(Method::HEAD, key);
        return remote.tell(&there).await?.success(&there).map(drop);
    }
    let told = told.success(&ask)?;
    // What fails late is told in a body.
    if String::from_utf8_lossy(&told.body).contains("<Error>") {
        return Err(told.failure(&ask));
    }
    Ok(())
}

/// Their versions, in the order of their numbers.
async fn copy_all(remote: &Arc<Remote>, asks: Vec<(usize, Ask)>) -> io::Result<Vec<Part>> {
    let mut waiting = asks.into_iter();
    let (mut running, mut parts) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < SIDE_BY_SIDE
            && let Some((number, ask)) = waiting.next()
        {
            let remote = Arc::clone(remote);
            running.spawn(async move { Ok::<_, io::Error>((number, copy(&remote, &ask).await?)) });
        }
        match running.join_next().await {
            None => break,
            Some(done) => parts.push(done.map_err(io::Error::other)??),
        }
    }
    parts.sort();
    Ok(parts)
}

/// A version in the answer's body: a storage that knows no copies takes an empty part instead, and has it in a header.
async fn copy(remote: &Remote, ask: &Ask) -> io::Result<String> {
    let told = remote.tell(ask).await?.success(ask)?;
    let version = xml::text(&String::from_utf8_lossy(&told.body), "ETag");
    version.ok_or_else(|| io::Error::other("the storage does not copy parts of objects"))
}
