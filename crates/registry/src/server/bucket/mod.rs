//! The storage in a bucket of an object storage that speaks S3. Objects are whole or not there, and what is written is
//! seen by everybody at once: that is all that is expected of it, besides a `Date` in its answers.
//!
//! Keys are those of [`layout`](super::layout), below the prefix, and besides them
//!
//!     renewed/<key>              empty: when somebody last referred to the object of that key
//!     locks/<kind>-<id>          flags: who adds, and who removes (see [`flags`])
//!     collecting/alone-<id>      a flag: who collects garbage; so do `telling-<endpoint>/`
//!     uploads/<id>/state         repository, end, hash and pieces of an upload (see [`upload`])
//!     uploads/<id>/<piece>
//!
//! Work is done on threads that may block.

mod credentials;
mod flags;
mod pieces;
mod remote;
mod sign;
pub(super) mod upload;
mod xml;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::directory::{Facts, Kind};
use super::layout::Key;
pub(super) use flags::Flag;
use remote::{Ask, Remote, Told};

/// What a storage says about itself; other layouts are refused.
const MARK: &str = "gantry-registry-bucket-1\n";
/// Pieces of an object that wait for a client.
const AHEAD: usize = 2;

#[derive(Clone)]
pub(super) struct Bucket {
    remote: Arc<Remote>,
    runtime: Handle,
}

/// An object as a list has it.
struct Listed {
    /// Whole, but for the prefix that all have.
    key: String,
    modified: Timestamp,
}

/// What is below a key.
struct List {
    objects: Vec<Listed>,
    /// Folders one level below, with their slashes.
    folders: Vec<String>,
    /// By the storage's clock.
    now: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    One,
    All,
}

impl Bucket {
    /// # Errors
    /// There is no such place, it does not let us in, or has another layout.
    pub(super) fn open(place: &str) -> io::Result<Self> {
        let remote = Arc::new(Remote::of(place).map_err(io::Error::other)?);
        let bucket = Self { remote, runtime: Handle::current() };
        let mark = || match bucket.get("layout")? {
            Some((found, _)) if found == MARK => Ok(()),
            Some(_) => Err(io::Error::other("the bucket's layout is of another version")),
            None => bucket.put("layout", MARK),
        };
        // Nothing else is done yet by whoever opens a storage.
        tokio::task::block_in_place(mark)?;
        Ok(bucket)
    }

    pub(super) fn read(&self, key: &Key) -> io::Result<Option<Bytes>> {
        Ok(self.get(key.as_str())?.map(|(bytes, _)| bytes))
    }

    pub(super) fn exists(&self, key: &Key) -> io::Result<bool> {
        Ok(self.head(key.as_str())?.is_some())
    }

    /// The time is that of the last reference, if there was one.
    pub(super) fn facts(&self, key: &Key) -> io::Result<Option<Facts>> {
        let Some(facts) = self.head(key.as_str())? else { return Ok(None) };
        let renewed = self.head(&renewed(key))?.map_or(facts.modified, |facts| facts.modified);
        Ok(Some(Facts { modified: facts.modified.max(renewed), ..facts }))
    }

    pub(super) fn list(&self, key: &Key) -> io::Result<Vec<(String, Kind)>> {
        let prefix = format!("{}/", key.as_str());
        let List { objects, folders, .. } = self.below(&prefix, Depth::One)?;
        let name =
            |key: &str| key.strip_prefix(&prefix).map(|name| name.trim_matches('/').to_owned());
        let files = objects.iter().filter_map(|object| Some((name(&object.key)?, Kind::File)));
        let folders = folders.iter().filter_map(|key| Some((name(key)?, Kind::Folder)));
        let mut found: Vec<_> = files.chain(folders).collect();
        found.sort();
        Ok(found)
    }

    /// When something below it was last written, by its age.
    pub(super) fn idle(&self, key: &Key) -> io::Result<Option<Duration>> {
        let List { objects, now, .. } = self.below(&format!("{}/", key.as_str()), Depth::All)?;
        let last = objects.iter().map(|object| object.modified).max();
        Ok(last.map(|last| age(last, now)))
    }

    pub(super) fn write(&self, key: &Key, parts: &[&[u8]]) -> io::Result<()> {
        self.put(key.as_str(), parts.concat())
    }

    /// An empty object with the present time.
    pub(super) fn touch(&self, key: &Key) -> io::Result<()> {
        self.put(key.as_str(), Bytes::new())
    }

    /// Gives what is there the present time, so that it is not taken for garbage; whether it is there.
    pub(super) fn renew(&self, key: &Key) -> io::Result<bool> {
        let is_there = self.exists(key)?;
        if is_there {
            // Objects cannot be given a time, and a large one not be copied onto itself.
            self.put(&renewed(key), Bytes::new())?;
        }
        Ok(is_there)
    }

    /// Whether it was there; nothing is removed unless `check`, the last thing before, says so.
    pub(super) fn remove(
        &self,
        key: &Key,
        check: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<bool> {
        let was_there = self.exists(key)?;
        check()?;
        self.delete(key.as_str())?;
        self.delete(&renewed(key))?;
        Ok(was_there)
    }

    pub(super) fn remove_folder(&self, key: &Key) -> io::Result<bool> {
        let objects = self.below(&format!("{}/", key.as_str()), Depth::All)?.objects;
        for object in &objects {
            self.delete(&object.key)?;
        }
        Ok(!objects.is_empty())
    }

    pub(super) fn shared(&self) -> io::Result<Flag> {
        Flag::take(self, "locks", flags::Kind::Shared)
    }

    pub(super) fn alone(&self) -> io::Result<Flag> {
        Flag::take(self, "locks", flags::Kind::Alone)
    }

    /// `None` if another process is at it.
    pub(super) fn turn(&self, key: &Key) -> io::Result<Option<Flag>> {
        Flag::try_take(self, key.as_str())
    }

    pub(super) fn size(&self, key: &Key) -> io::Result<Option<u64>> {
        Ok(self.head(key.as_str())?.map(|facts| facts.size))
    }

    /// A part of an object of that size, piece by piece, as fast as they are taken.
    pub(super) fn stream(
        &self,
        key: &Key,
        part: &Range<u64>,
        size: u64,
    ) -> mpsc::Receiver<io::Result<Bytes>> {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let ask = Ask::of(Method::GET, key.as_str());
        let range = (*part != (0..size)).then(|| format!("{}-{}", part.start, part.end - 1));
        let (ask, range) = match range {
            Some(range) => (
                ask.header("range", format!("bytes={range}")),
                Some(format!("bytes {range}/{size}")),
            ),
            None => (ask, None),
        };
        let remote = Arc::clone(&self.remote);
        tokio::spawn(async move {
            if let Err(error) = pass_on(&remote, &ask, range.as_deref(), &sender).await {
                // Who is gone needs no reason.
                let _ = sender.send(Err(error)).await;
            }
        });
        pieces
    }

    fn tell(&self, ask: &Ask) -> io::Result<Told> {
        self.runtime.block_on(self.remote.tell(ask))
    }

    fn head(&self, key: &str) -> io::Result<Option<Facts>> {
        let ask = Ask::of(Method::HEAD, key);
        let told = self.tell(&ask)?;
        if told.is_absent() {
            return Ok(None);
        }
        let told = told.success(&ask)?;
        let size = told.header("content-length").and_then(|text| text.parse().ok());
        let modified = told.header("last-modified").and_then(time);
        let (Some(size), Some(modified)) = (size, modified) else {
            return Err(io::Error::other(format!("{key}: the storage tells no size or time")));
        };
        Ok(Some(Facts { size, modified: SystemTime::from(modified) }))
    }

    /// With its version.
    fn get(&self, key: &str) -> io::Result<Option<(Bytes, String)>> {
        let ask = Ask::of(Method::GET, key);
        let told = self.tell(&ask)?;
        if told.is_absent() {
            return Ok(None);
        }
        let told = told.success(&ask)?;
        let version = told.header("etag").unwrap_or_default().to_owned();
        Ok(Some((told.body, version)))
    }

    fn put(&self, key: &str, body: impl Into<Bytes>) -> io::Result<()> {
        let ask = Ask::of(Method::PUT, key).body(body);
        self.tell(&ask)?.success(&ask).map(drop)
    }

    /// Of the version that is there, or of none; the version that is there then, or `None` if it was another one.
    fn replace(&self, key: &str, old: Option<&str>, body: Vec<u8>) -> io::Result<Option<String>> {
        let body = Bytes::from(body);
        let ask = Ask::of(Method::PUT, key).body(body.clone());
        let ask = match old {
            Some(version) => ask.header("if-match", version),
            None => ask.header("if-none-match", "*"),
        };
        let told = self.tell(&ask)?;
        if told.is_absent()
            || matches!(told.status, StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT)
        {
            // It may have been sent twice, and the first time have done it.
            let is_ours = |(found, version): (Bytes, String)| (found == body).then_some(version);
            return Ok(self.get(key)?.and_then(is_ours));
        }
        let told = told.success(&ask)?;
        Ok(Some(told.header("etag").unwrap_or_default().to_owned()))
    }

    fn delete(&self, key: &str) -> io::Result<()> {
        let ask = Ask::of(Method::DELETE, key);
        let told = self.tell(&ask)?;
        if told.is_absent() { Ok(()) } else { told.success(&ask).map(drop) }
    }

    fn below(&self, prefix: &str, depth: Depth) -> io::Result<List> {
        let mut list = List { objects: Vec::new(), folders: Vec::new(), now: Timestamp::now() };
        let mut next: Option<String> = None;
        loop {
            let whole = format!("{}{prefix}", self.remote.prefix);
            let mut ask = Ask::bucket(Method::GET).query("list-type", "2").query("prefix", whole);
            if depth == Depth::One {
                ask = ask.query("delimiter", "/");
            }
            if let Some(token) = next.take() {
                ask = ask.query("continuation-token", token);
            }
            let told = self.tell(&ask)?.success(&ask)?;
            if let Some(now) = told.header("date").and_then(time) {
                list.now = now;
            }
            let text = String::from_utf8_lossy(&told.body);
            list.add(&text, &self.remote.prefix);
            next = xml::text(&text, "NextContinuationToken");
            if next.is_none() {
                return Ok(list);
            }
        }
    }
}

impl List {
    fn add(&mut self, page: &str, prefix: &str) {
        let key = |text: &str, name| Some(xml::text(text, name)?.strip_prefix(prefix)?.to_owned());
        self.objects.extend(xml::elements(page, "Contents").into_iter().filter_map(|one| {
            Some(Listed {
                key: key(one, "Key")?,
                modified: xml::text(one, "LastModified")?.parse().ok()?,
            })
        }));
        let folders = xml::elements(page, "CommonPrefixes");
        self.folders.extend(folders.into_iter().filter_map(|one| key(one, "Prefix")));
    }
}

async fn pass_on(
    remote: &Remote,
    ask: &Ask,
    range: Option<&str>,
    to: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut answer = remote.open(ask).await?;
    if answer.header("content-range") != range {
        return Err(io::Error::other("the storage sends another part than was asked for"));
    }
    while let Some(piece) = answer.chunk().await.map_err(io::Error::other)? {
        if to.send(Ok(piece)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn renewed(key: &Key) -> String {
    format!("renewed/{}", key.as_str())
}

/// As headers have it.
fn time(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|time| time.timestamp())
}

fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_list_is_read_and_what_is_not_below_the_prefix_is_not() {
        let page = "<ListBucketResult><Contents><Key>p/a/x</Key>\
            <LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>\
            <Contents><Key>q/a</Key><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>\
            <Contents><Key>p/odd</Key><LastModified>-1</LastModified></Contents>\
            <CommonPrefixes><Prefix>p/a/b/</Prefix></CommonPrefixes></ListBucketResult>";
        let mut list = List { objects: Vec::new(), folders: Vec::new(), now: Timestamp::now() };
        list.add(page, "p/");
        let objects: Vec<_> = list.objects.iter().map(|one| one.key.as_str()).collect();
        assert_eq!((objects, list.folders), (vec!["a/x"], vec!["a/b/".to_owned()]));
    }
}
