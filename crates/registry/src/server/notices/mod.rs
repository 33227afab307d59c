//! What is told to others of what is pushed, pulled and deleted: events in the form of Docker's registry, posted to
//! addresses of the configuration.
//!
//! An event is written into the storage for each address, of a change before its client is answered, and goes once the
//! address has taken it: it outlives the process, and any instance over the storage delivers it. At least once, and
//! mostly in order: where an answer is lost it is sent again, with the same id.

mod event;
mod teller;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::access::Identity;
use super::http::Call;
use super::layout;
use super::names::UploadId;
use super::registry::Registry;
use super::route::Route;
use super::storage::Storage;
use super::{Response, metrics};
use event::{Action, Event};
use teller::Teller;

/// Of the configuration: who is told.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    /// Also of its queue: a letter or digit, then letters, digits, `-` and `_`.
    name: String,
    url: String,
    /// Sent along, such as `Authorization`.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    ignore: Ignore,
}

/// What one does not want to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
struct Ignore {
    #[serde(default)]
    mediatypes: Vec<String>,
    #[serde(default)]
    actions: Vec<Action>,
}

pub(super) struct Notices {
    tellers: Vec<Arc<Teller>>,
}

/// Of a request, before it is carried out: what an event needs to know of it.
pub(super) struct Asked {
    route: Route,
    method: Method,
    request: event::Request,
    actor: String,
    /// Of a mount.
    source: Option<String>,
    is_encrypted: bool,
}

/// Secrets are in no log.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Notices {
    /// # Errors
    /// Texts that name the endpoint.
    pub(super) fn open(endpoints: &[Endpoint]) -> Result<Self, String> {
        let tellers: Vec<_> = endpoints
            .iter()
            .map(|one| Teller::open(one).map(Arc::new))
            .collect::<Result<_, _>>()?;
        for (at, teller) in tellers.iter().enumerate() {
            if tellers[..at].iter().any(|other| other.name() == teller.name()) {
                return Err(format!("two notifications are named {:?}", teller.name()));
            }
        }
        Ok(Self { tellers })
    }

    /// Delivers to each what is waiting; they end with their tasks.
    pub(super) fn deliver(
        &self,
        storage: &Storage,
        metrics: &Arc<metrics::Metrics>,
    ) -> tokio::task::JoinSet<()> {
        let tell = |teller: &Arc<Teller>| {
            Arc::clone(teller).keep_telling(storage.clone(), Arc::clone(metrics))
        };
        self.tellers.iter().map(tell).collect()
    }
}

impl Registry {
    /// `None` where nobody wants to know.
    pub(super) fn asked(&self, route: &Route, call: &Call, peer: SocketAddr) -> Option<Asked> {
        if self.notices.tellers.is_empty() {
            return None;
        }
        let text = |name: hyper::header::HeaderName| {
            call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let request = event::Request {
            addr: peer.to_string(),
            host: text(hyper::header::HOST).to_owned(),
            method: call.method.to_string(),
            useragent: text(hyper::header::USER_AGENT).to_owned(),
        };
        let actor = match &call.identity {
            Identity::User(name) => name.clone(),
            _ => String::new(),
        };
        let source = call.query.get("mount").and_then(|_| call.query.get("from"));
        let (route, method) = (route.clone(), call.method.clone());
        let source = source.map(str::to_owned);
        Some(Asked { route, method, request, actor, source, is_encrypted: self.tls.is_some() })
    }

    /// Tells of what was done, if it is something that is told of. A change is queued before this returns.
    ///
    /// # Errors
    /// The storage's: what was done stays done.
    pub(super) async fn notice(
        self: &Arc<Self>,
        asked: Asked,
        response: &Response,
    ) -> std::io::Result<()> {
        let changes = !asked.method.is_safe();
        let Some(event) = Event::of(asked, response)? else { return Ok(()) };
        let registry = Arc::clone(self);
        let queued = async move { registry.queue(event).await };
        if changes {
            return queued.await;
        }
        tokio::spawn(async move {
            if let Err(error) = queued.await {
                tracing::warn!("cannot queue a notification: {error}");
            }
        });
        Ok(())
    }

    async fn queue(&self, event: Event) -> std::io::Result<()> {
        let tellers = self.notices.tellers.clone();
        let store = move |storage: &Storage| {
            let event = event.completed(storage)?;
            let text = serde_json::to_vec(&event)?;
            for teller in tellers.iter().filter(|teller| teller.wants(&event)) {
                // By its name the queue is in order.
                let name = format!("{:020}-{}", now(), UploadId::random()?.as_str());
                storage.write(&layout::notices(teller.name()).below(&name), &[&text])?;
                teller.wake();
            }
            Ok(())
        };
        self.storage.blocking(store).await
    }
}

/// In microseconds.
fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// When an event of that name was queued.
fn queued_at(name: &str) -> Option<i64> {
    name.split_once('-')?.0.parse().ok()
}
