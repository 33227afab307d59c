//! What is slow happens behind the reply: deleting links and making the next spare namespace.
//!
//! Deleting one link takes the kernel some 20 ms, ten together hardly more. So links to be deleted are gathered,
//! moved to a group of their own and deleted by that group in one request. Most are gone by then, since a link
//! dies with the container's namespace. Only afterwards is a container's address free again.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::io::Errno;
use sys::netlink::{Batch, Protocol, Socket};

use crate::books::{Books, Freed};
use crate::error::{Context, Result};
use crate::firewall::Firewall;
use crate::route;
use crate::sandbox::Sandbox;

/// A link that must go, and the addresses that are free once it is gone.
#[derive(Clone, Debug)]
pub(crate) struct Doomed {
    /// Empty where there is none, or where it goes with its namespace.
    pub(crate) link: String,
    pub(crate) freed: Vec<Freed>,
}

enum Task {
    /// Make a spare namespace if there is none.
    Refill,
    Delete(Vec<Doomed>),
    /// Answer when all that was asked before is done.
    Settle(Sender<()>),
}

/// What the worker shares with those who ask it.
pub(crate) struct Shared {
    pub(crate) books: Mutex<Books>,
    pub(crate) spare: Mutex<Option<Sandbox>>,
    pub(crate) firewall: Firewall,
}

/// The thread; it ends, after what it was asked to do, when this is dropped.
pub(crate) struct Worker {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(crate) fn start(shared: Arc<Shared>, doomed_group: u32) -> Result<Self> {
        let action = || "start the network's worker".to_owned();
        let socket = Socket::open(Protocol::Route).context(action)?;
        let (tasks, queue) = channel();
        let mut state = State { shared, socket, doomed_group, doomed: Vec::new() };
        let thread = thread::Builder::new()
            .name("network".into())
            .spawn(move || state.run(&queue))
            .context(action)?;
        Ok(Self { tasks: Some(tasks), thread: Some(thread) })
    }

    pub(crate) fn refill(&self) {
        self.send(Task::Refill);
    }

    pub(crate) fn delete(&self, doomed: Vec<Doomed>) {
        self.send(Task::Delete(doomed));
    }

    pub(crate) fn settle(&self) {
        let (done, wait) = channel();
        self.send(Task::Settle(done));
        // An error means that the worker is gone, and with it all that could be waited for.
        let _ = wait.recv();
    }

    fn send(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // Fails only when the worker has panicked, which it said itself.
            let _ = tasks.send(task);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by it.
            let _ = thread.join();
        }
    }
}

struct State {
    shared: Arc<Shared>,
    socket: Socket,
    doomed_group: u32,
    /// Still to be deleted: new ones, and those that the kernel refused to delete.
    doomed: Vec<Doomed>,
}

impl State {
    fn run(&mut self, queue: &Receiver<Task>) {
        while let Ok(first) = queue.recv() {
            let (mut refill, mut waiting) = (false, Vec::new());
            for task in std::iter::once(first).chain(queue.try_iter()) {
                match task {
                    Task::Refill => refill = true,
                    Task::Delete(doomed) => self.doomed.extend(doomed),
                    Task::Settle(done) => waiting.push(done),
                }
            }
            if refill {
                self.refill();
            }
            if !self.doomed.is_empty() {
                self.delete();
            }
            for done in waiting {
                // Who gave up waiting needs no answer.
                let _ = done.send(());
            }
        }
    }

    fn refill(&self) {
        let spare = || self.shared.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare().is_some() {
            return;
        }
        // Without a spare the next container makes its own namespace, and reports why it cannot.
        if let Ok(sandbox) = Sandbox::new() {
            *spare() = Some(sandbox);
        }
    }

    fn delete(&mut self) {
        match self.delete_links() {
            Ok(()) => {
                let links = self.doomed.iter().map(|doomed| doomed.link.as_str());
                if let Err(error) = self.shared.firewall.unguard(links) {
                    tracing::warn!("{error}");
                }
                let mut books = self.shared.books.lock().unwrap_or_else(PoisonError::into_inner);
                let freed = self.doomed.drain(..).flat_map(|doomed| doomed.freed);
                freed.for_each(|freed| books.release(&freed));
            }
            // Their addresses stay taken; the next deletion tries again.
            Err(error) => tracing::warn!("failed to delete links of containers: {error}"),
        }
    }

    fn delete_links(&mut self) -> Result<(), sys::netlink::Error> {
        let mut batch = Batch::default();
        let links = self.doomed.iter().filter(|doomed| !doomed.link.is_empty());
        for doomed in links {
            route::set_group(&mut batch, &doomed.link, self.doomed_group);
        }
        absent_is_fine(self.socket.transact(batch).map(drop))?;
        let mut batch = Batch::default();
        route::delete_group(&mut batch, self.doomed_group);
        absent_is_fine(self.socket.transact(batch).map(drop))
    }
}

fn absent_is_fine(result: Result<(), sys::netlink::Error>) -> Result<(), sys::netlink::Error> {
    match result {
        Err(error) if error.errno == Errno::NODEV => Ok(()),
        result => result,
    }
}
