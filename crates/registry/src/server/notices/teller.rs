//! Delivers the events of one queue, the oldest first, until they are taken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::event::Event;
use super::{Endpoint, now, queued_at};
use crate::client::{Content, Origin, Patience, Places, Proxies, Question, Transport};
use crate::server::layout;
use crate::server::metrics::Metrics;
use crate::server::storage::Storage;

const ENVELOPE: HeaderValue =
    HeaderValue::from_static("application/vnd.docker.distribution.events.v2+json");
const PATIENCE: Patience =
    Patience { connect: Duration::from_secs(5), silence: Duration::from_secs(10) };
/// Sent at once.
const BATCH: usize = 100;
/// Of the answer, which nobody reads.
const MAX_ANSWER: usize = 64 << 10;
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Another instance may have queued something, or have been killed with it.
const LOOK: Duration = Duration::from_secs(10);
/// What nobody has taken for so long, or behind which so many wait, is dropped.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
const MAX_WAITING: usize = 10_000;

pub(super) struct Teller {
    endpoint: Endpoint,
    transport: Transport,
    origin: Origin,
    path: String,
    headers: HeaderMap,
    bell: Notify,
}

/// How a round went.
enum Round {
    /// Nothing waits, or another instance is at it.
    Idle,
    /// So many.
    Told(usize),
    Refused(String),
}

impl Teller {
    pub(super) fn open(endpoint: &Endpoint) -> Result<Self, String> {
        let name = &endpoint.name;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.starts_with(['-', '_']) || !name.bytes().all(plain) {
            return Err(format!("invalid name of notifications: {name:?}"));
        }
        // The address itself may hold a secret.
        let invalid =
            || format!("notifications {name}: the url needs to be like https://host/path");
        let uri: Uri = endpoint.url.parse().map_err(|_| invalid())?;
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(invalid());
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, ENVELOPE);
        for (own, value) in &endpoint.headers {
            let pair = HeaderName::try_from(own).ok().zip(HeaderValue::try_from(value).ok());
            let (own, mut value) =
                pair.ok_or_else(|| format!("notifications {name}: invalid header {own:?}"))?;
            value.set_sensitive(true);
            headers.insert(own, value);
        }
        let places = Places { proxies: Proxies::of_environment(), ..Places::default() };
        Ok(Self {
            endpoint: endpoint.clone(),
            transport: Transport::new(places, PATIENCE),
            origin: Origin::of(&uri).map_err(|_| invalid())?,
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            headers,
            bell: Notify::new(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.endpoint.name
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        let ignore = &self.endpoint.ignore;
        !ignore.actions.contains(&event.action)
            && !ignore.mediatypes.contains(&event.target.media_type)
    }

    /// Something was queued.
    pub(super) fn wake(&self) {
        self.bell.notify_one();
    }

    pub(super) async fn keep_telling(self: Arc<Self>, storage: Storage, metrics: Arc<Metrics>) {
        let mut rest = FIRST_REST;
        loop {
            let round = self.round(&storage).await;
            let why = match round {
                Ok(Round::Told(count)) => {
                    metrics.notices_told(count);
                    rest = FIRST_REST;
                    continue;
                }
                Ok(Round::Idle) => {
                    let _ = tokio::time::timeout(LOOK, self.bell.notified()).await;
                    continue;
                }
                Ok(Round::Refused(why)) => why,
                Err(error) => error.to_string(),
            };
            metrics.notice_failed();
            tracing::warn!("notifications {}: {why}; again in {rest:?}", self.name());
            tokio::time::sleep(rest).await;
            rest = LONGEST_REST.min(rest * 2);
        }
    }

    /// One instance at a time, so that each event is told once. A thread that may block has the turn all the time.
    async fn round(self: &Arc<Self>, storage: &Storage) -> io::Result<Round> {
        let (own, runtime) = (Arc::clone(self), Handle::current());
        let round = move |storage: &Storage| {
            let Some(_turn) = storage.turn(&layout::telling(own.name()))? else {
                return Ok(Round::Idle);
            };
            let (names, events): (Vec<_>, Vec<_>) =
                waiting(storage, own.name())?.into_iter().unzip();
            if events.is_empty() {
                return Ok(Round::Idle);
            }
            if let Err(why) = runtime.block_on(own.tell(&events)) {
                return Ok(Round::Refused(why));
            }
            for name in &names {
                storage.forget(&layout::notices(own.name()).below(name))?;
            }
            Ok(Round::Told(names.len()))
        };
        storage.blocking(round).await
    }

    async fn tell(&self, events: &[Box<RawValue>]) -> Result<(), String> {
        let body = serde_json::to_vec(&serde_json::json!({ "events": events }));
        let content = Content::Bytes(Bytes::from(body.map_err(|error| error.to_string())?));
        let question = Question {
            method: Method::POST,
            origin: &self.origin,
            path: &self.path,
            headers: &self.headers,
            content: &content,
        };
        let answer = self.transport.ask(&question).await.map_err(|error| error.to_string())?;
        let status = answer.status;
        // Read to its end, so that the connection can be used again.
        let _ = answer.whole(MAX_ANSWER).await;
        if status.is_success() { Ok(()) } else { Err(format!("the answer is {status}")) }
    }
}

/// The oldest of a queue, with their names.
fn waiting(storage: &Storage, name: &str) -> io::Result<Vec<(String, Box<RawValue>)>> {
    let queue = layout::notices(name);
    let mut names: Vec<_> = storage.list(&queue)?.into_iter().map(|(name, _)| name).collect();
    let oldest = now() - i64::try_from(KEEP.as_micros()).unwrap_or(i64::MAX);
    let too_many = names.len().saturating_sub(MAX_WAITING);
    let too_old = names.iter().take_while(|name| queued_at(name).is_none_or(|at| at < oldest));
    let late = too_many.max(too_old.count());
    for name in names.drain(..late) {
        storage.forget(&queue.below(&name))?;
    }
    if late > 0 {
        tracing::error!("notifications {name}: {late} events were dropped, nobody took them");
    }
    let mut events = Vec::new();
    for name in names.into_iter().take(BATCH) {
        let Some(text) = storage.read(&queue.below(&name))? else { continue };
        match serde_json::from_slice(&text) {
            Ok(event) => events.push((name, event)),
            // Half of one, of a machine that lost its power.
            Err(_) => drop(storage.forget(&queue.below(&name))?),
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, url: &str) -> Result<Teller, String> {
        let text = serde_json::json!({"name": name, "url": url, "headers": {"a": "b"}}).to_string();
        Teller::open(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn an_endpoint_has_a_plain_name_and_an_address_without_secrets() {
        let teller = open("ci-1", "https://ci.example/hook?token=x").unwrap();
        assert_eq!((teller.name(), teller.path.as_str()), ("ci-1", "/hook?token=x"));
        assert!(!format!("{:?}", teller.endpoint).contains("token"));
        for (name, url) in [
            ("", "https://h/"),
            ("../x", "https://h/"),
            ("a/b", "https://h/"),
            ("_a", "https://h/"),
            ("a", "h"),
            ("a", "ftp://h/"),
            ("a", "https://u:secret@h/"),
        ] {
            let error = open(name, url).err().unwrap_or_else(|| panic!("{name} {url}"));
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_nobody_took_for_long_is_dropped_and_the_rest_is_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let directory = crate::server::directory::Directory::open(folder.path()).unwrap();
        let storage = Storage::Folder(directory);
        let queue = layout::notices("ci");
        let day = 24 * 3600 * 1_000_000;
        for (at, text) in [(now(), "3"), (now() - 8 * day, "1"), (now() - 6 * day, "2")] {
            storage.write(&queue.below(&format!("{at:020}-x")), &[text.as_bytes()]).unwrap();
        }
        storage.write(&queue.below(&format!("{:020}-y", now())), &[b"{"]).unwrap();
        let texts = || -> Vec<_> {
            let events = waiting(&storage, "ci").unwrap();
            events.into_iter().map(|(_, event)| event.get().to_owned()).collect()
        };
        assert_eq!(texts(), ["2", "3"]);
        assert_eq!(storage.list(&queue).unwrap().len(), 2);
    }
}
