//! What happened: one sequence for the whole engine, kept in a ring that late listeners read from.
//!
//! The last events are also appended to a file in the exec root, so that the sequence and `since` go on across an
//! engine that was replaced. They end with a boot, as what they tell of does.

mod filter;
mod journal;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

pub use filter::Filter;
use journal::Journal;

/// Events kept. Docker keeps 256.
const RING: usize = 512;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Container,
    Image,
    Network,
    Volume,
    Daemon,
    Builder,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Builder => "builder",
            Self::Daemon => "daemon",
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// Position in the engine's sequence, from 1.
    pub sequence: u64,
    /// Unix time in nanoseconds: when it happened, which can be before it was noticed.
    pub time: i64,
    pub kind: Kind,
    /// `start`, `exec_create: sh`, `health_status: healthy`
    pub action: String,
    /// The object's id; an image's is its reference where it was named by one.
    pub id: String,
    pub attributes: BTreeMap<String, String>,
}

/// A handle on the one sequence.
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The newest event's number.
    newest: watch::Sender<u64>,
    /// Told of each event, and by others of what else happens: nothing of it means that the engine is idle.
    stirred: Arc<Notify>,
}

struct State {
    ring: VecDeque<Arc<Event>>,
    journal: Journal,
}

impl Events {
    /// Goes on with the sequence that `exec_root` has, if any.
    pub fn open(exec_root: &Path) -> std::io::Result<Self> {
        let (journal, kept) = Journal::open(&exec_root.join("events.jsonl"), RING)?;
        let newest = kept.back().map_or(0, |event: &Event| event.sequence);
        let ring = kept.into_iter().map(Arc::new).collect();
        let state = Mutex::new(State { ring, journal });
        Ok(Self(Arc::new(Shared {
            state,
            newest: watch::Sender::new(newest),
            stirred: Arc::default(),
        })))
    }

    /// Something that happened just now.
    pub fn publish(
        &self,
        kind: Kind,
        action: impl Into<String>,
        id: impl Into<String>,
        attributes: BTreeMap<String, String>,
    ) {
        let now = jiff::Timestamp::now().as_nanosecond();
        // Until the year 2262.
        self.publish_at(i64::try_from(now).unwrap_or(i64::MAX), kind, action, id, attributes);
    }

    /// Something that happened at `time` (Unix, ns) and was noticed only now. What an engine before this one told of
    /// and was killed before it had noted that it did is not told again.
    pub fn publish_at(
        &self,
        time: i64,
        kind: Kind,
        action: impl Into<String>,
        id: impl Into<String>,
        attributes: BTreeMap<String, String>,
    ) {
        let mut state = self.state();
        let (action, id) = (action.into(), id.into());
        let told = |e: &Arc<Event>| e.time == time && e.action == action && e.id == id;
        if state.ring.iter().any(told) {
            return;
        }
        let sequence = *self.0.newest.borrow() + 1;
        let event = Event { sequence, time, kind, action, id, attributes };
        if state.ring.len() == RING {
            state.ring.pop_front();
        }
        state.ring.push_back(Arc::new(event));
        let State { ring, journal } = &mut *state;
        if let Err(error) = journal.append(ring) {
            tracing::warn!("cannot keep events for the next engine: {error}");
        }
        self.0.newest.send_replace(sequence);
        self.0.stirred.notify_one();
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        self.listen_after(*self.0.newest.borrow())
    }

    /// Listens from the oldest event that is kept.
    pub fn listen_to_all(&self) -> Listener {
        self.listen_after(0)
    }

    fn listen_after(&self, seen: u64) -> Listener {
        Listener { events: self.clone(), newest: self.0.newest.subscribe(), seen }
    }

    /// The newest event's number: how many there were since the boot.
    pub fn newest(&self) -> u64 {
        *self.0.newest.borrow()
    }

    pub fn stirred(&self) -> Arc<Notify> {
        Arc::clone(&self.0.stirred)
    }

    pub fn listeners(&self) -> usize {
        self.0.newest.receiver_count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Events are whole or not there, so a panic elsewhere does not spoil them.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the sequence at its own pace. One that falls behind by more than the ring misses what fell out of it.
pub struct Listener {
    events: Events,
    newest: watch::Receiver<u64>,
    seen: u64,
}

impl Listener {
    /// What is kept and not yet seen, without waiting.
    pub fn ready(&mut self) -> Vec<Arc<Event>> {
        let state = self.events.state();
        let unseen = state.ring.partition_point(|event| event.sequence <= self.seen);
        let events: Vec<_> = state.ring.range(unseen..).cloned().collect();
        self.seen = events.last().map_or(self.seen, |event| event.sequence);
        events
    }

    /// Waits for at least one event.
    pub async fn next(&mut self) -> Vec<Arc<Event>> {
        let seen = self.seen;
        // The sender lives as long as `self.events`.
        let _ = self.newest.wait_for(|newest| *newest > seen).await;
        self.ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(events: &Events, action: &str) {
        events.publish(Kind::Container, action, "id", BTreeMap::new());
    }

    fn actions(events: &[Arc<Event>]) -> Vec<&str> {
        events.iter().map(|event| event.action.as_str()).collect()
    }

    #[test]
    fn each_listener_sees_every_event_once() {
        let root = tempfile::tempdir().unwrap();
        let events = Events::open(root.path()).unwrap();
        publish(&events, "create");
        let mut late = events.listen();
        let mut all = events.listen_to_all();
        publish(&events, "start");
        assert_eq!(actions(&late.ready()), ["start"]);
        assert_eq!(actions(&late.ready()), [""; 0]);
        assert_eq!(actions(&all.ready()), ["create", "start"]);
    }

    #[test]
    fn the_sequence_goes_on_in_the_next_engine() {
        let root = tempfile::tempdir().unwrap();
        let events = Events::open(root.path()).unwrap();
        for _ in 0..3 * RING {
            publish(&events, "start");
        }
        drop(events);
        let events = Events::open(root.path()).unwrap();
        publish(&events, "die");
        let kept = events.listen_to_all().ready();
        assert_eq!(kept.len(), RING);
        assert_eq!(kept.last().unwrap().sequence, 3 * RING as u64 + 1);
    }

    #[test]
    fn what_has_a_time_of_its_own_is_told_once() {
        let root = tempfile::tempdir().unwrap();
        for _engine in 0..2 {
            let events = Events::open(root.path()).unwrap();
            for (time, action) in [(7, "die"), (7, "exec_die"), (8, "die")] {
                events.publish_at(time, Kind::Container, action, "id", BTreeMap::new());
            }
            assert_eq!(actions(&events.listen_to_all().ready()), ["die", "exec_die", "die"]);
        }
    }

    #[test]
    fn a_line_cut_short_by_a_crash_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let events = Events::open(root.path()).unwrap();
        publish(&events, "start");
        publish(&events, "die");
        drop(events);
        let path = root.path().join("events.jsonl");
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 5]).unwrap();
        let events = Events::open(root.path()).unwrap();
        assert_eq!(actions(&events.listen_to_all().ready()), ["start"]);
        publish(&events, "die");
        drop(events);
        let events = Events::open(root.path()).unwrap();
        assert_eq!(actions(&events.listen_to_all().ready()), ["start", "die"]);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_next_event() {
        let root = tempfile::tempdir().unwrap();
        let events = Events::open(root.path()).unwrap();
        let mut listener = events.listen();
        let waiting = tokio::spawn(async move { listener.next().await.len() });
        publish(&events, "start");
        assert_eq!(waiting.await.unwrap(), 1);
    }
}
