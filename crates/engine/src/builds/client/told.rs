//! What a client is told, between the build that must not wait and the client that may be slow.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use api::build::{Status, VertexLog};
use tokio::sync::Notify;

/// Bytes that wait for a client before output is left out, and before everything is.
const MOST_OUTPUT: usize = 8 << 20;
const MOST: usize = 4 * MOST_OUTPUT;
/// What a piece of news takes beside its texts.
const PIECE: usize = 160;

pub struct Teller(Arc<Shared>);

/// The reading end.
pub struct Told(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Notify,
}

#[derive(Default)]
struct Pending {
    status: Status,
    bytes: usize,
    /// Steps whose output was left out.
    clipped: BTreeSet<String>,
    ended: bool,
}

pub fn channel() -> (Teller, Told) {
    let shared = Arc::new(Shared::default());
    (Teller(Arc::clone(&shared)), Told(shared))
}

impl Teller {
    pub fn tell(&self, mut status: Status) {
        let mut pending = self.0.lock();
        if pending.bytes > MOST_OUTPUT {
            let left_out = status.logs.drain(..).map(|log| log.vertex);
            pending.clipped.extend(left_out);
            status.statuses.clear();
        }
        if pending.bytes <= MOST {
            pending.bytes += size(&status);
            pending.status.extend(status);
        }
        drop(pending);
        self.0.changed.notify_one();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Told {
    /// All that was told since; `None` once nobody tells any more.
    pub async fn next(&self) -> Option<Status> {
        loop {
            if let Some(status) = self.take() {
                return Some(status);
            }
            if self.0.lock().ended {
                return self.take();
            }
            self.0.changed.notified().await;
        }
    }

    /// What was told and not yet taken.
    pub fn take(&self) -> Option<Status> {
        let mut pending = self.0.lock();
        pending.bytes = 0;
        let mut status = std::mem::take(&mut pending.status);
        let clipped = std::mem::take(&mut pending.clipped);
        status.logs.extend(clipped.into_iter().map(notice));
        (!status.is_empty()).then_some(status)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().expect("no code panics while it holds this lock")
    }
}

fn notice(vertex: String) -> VertexLog {
    let data = b"[output clipped: the client does not read it fast enough]\n".to_vec();
    VertexLog { vertex, stream: 2, data, ..VertexLog::default() }
}

fn size(status: &Status) -> usize {
    let vertexes = status.vertexes.iter().map(|vertex| vertex.name.len() + vertex.error.len());
    let logs = status.logs.iter().map(|log| log.data.len());
    let statuses = status.statuses.iter().map(|status| status.id.len());
    let warnings = status.warnings.iter().map(|warning| warning.short.len());
    let instructions = status.instructions.iter().map(|instruction| instruction.text.len());
    let reasons = status.reasons.iter().map(|reason| reason.text.len());
    let all = vertexes.chain(logs).chain(statuses).chain(warnings).chain(instructions);
    all.chain(reasons).map(|length| length + PIECE).sum()
}

#[cfg(test)]
mod tests {
    use api::build::Vertex;

    use super::*;

    fn output(bytes: usize) -> Status {
        let log = VertexLog {
            vertex: "v".into(),
            stream: 1,
            data: vec![b'x'; bytes],
            ..VertexLog::default()
        };
        Status { logs: vec![log], ..Status::default() }
    }

    fn end() -> Status {
        let vertex =
            Vertex { digest: "v".into(), completed: Some("now".into()), ..Vertex::default() };
        Status { vertexes: vec![vertex], ..Status::default() }
    }

    #[tokio::test]
    async fn what_is_told_comes_together_and_then_its_end() {
        let (teller, told) = channel();
        teller.tell(output(1));
        teller.tell(end());
        let status = told.next().await.unwrap();
        assert_eq!((status.logs.len(), status.vertexes.len()), (1, 1));
        teller.tell(output(2));
        drop(teller);
        assert_eq!(told.next().await.unwrap(), output(2));
        assert_eq!(told.next().await, None);
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_gets_the_ends_of_steps_and_a_word_about_what_is_missing() {
        let (teller, told) = channel();
        for _ in 0..1000 {
            teller.tell(output(64 << 10));
        }
        teller.tell(end());
        let status = told.next().await.unwrap();
        let bytes: usize = status.logs.iter().map(|log| log.data.len()).sum();
        assert!(bytes < MOST_OUTPUT + (128 << 10), "{bytes}");
        let last = String::from_utf8(status.logs.last().unwrap().data.clone()).unwrap();
        assert!(last.starts_with("[output clipped"), "{last}");
        assert_eq!(status.vertexes, end().vertexes);
        for _ in 0..300_000 {
            teller.tell(end());
        }
        assert!(told.next().await.unwrap().vertexes.len() * PIECE < 2 * MOST);
    }
}
