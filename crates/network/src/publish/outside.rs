//! The host's ports, where sockets serve them in place of the engine's table: because the host's network is not the one
//! that the containers are in (the engine of an ordinary user), or because the host's input policy is to be obeyed, or
//! because there is no table.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};

use rustix::io::Errno;

use super::mapping::{Mapping, Target};

/// Serves ports of the host's network, and leads who comes to containers. What is open stays so without the engine.
pub trait Outside: Send + Sync + std::fmt::Debug {
    /// All of the ports or none; those that are open lead to the target from now on. Called on [`Self::thread`].
    fn open(&self, mapping: &Mapping, target: Target) -> Result<(), NotOpened>;

    /// Harmless for those that are not open.
    fn close(&self, mapping: &Mapping);

    /// Where the host's sockets and settings are to be seen.
    fn thread(&self) -> &HostThread;
}

/// The first port that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpened {
    pub port: u16,
    pub errno: Errno,
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that stays in the network that it was made in when its process goes elsewhere. It ends with its handles.
#[derive(Clone, Debug)]
pub struct HostThread(Sender<Job>);

impl HostThread {
    /// Stays where the caller is now.
    ///
    /// # Errors
    /// The kernel gives us no thread.
    pub fn stay_here() -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let work = move || queue.into_iter().for_each(|job| job());
        std::thread::Builder::new().name("host-network".into()).spawn(work)?;
        Ok(Self(jobs))
    }

    /// What the job returns there.
    ///
    /// # Errors
    /// It panicked.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (answer, result) = channel();
        let job = move || {
            // The thread must be there for the next one.
            if let Ok(value) = catch_unwind(AssertUnwindSafe(job)) {
                // Somebody waits for it, below.
                let _ = answer.send(value);
            }
        };
        let failed = || io::Error::other("the thread in the host's network has failed");
        self.0.send(Box::new(job)).map_err(|_| failed())?;
        result.recv().map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_where_the_thread_was_made() {
        let network = || std::fs::read_link("/proc/thread-self/ns/net").expect("a link");
        let outside = network();
        let host = HostThread::stay_here().expect("a thread");
        crate::tests::isolated(move || {
            assert_ne!(network(), outside);
            assert_eq!(host.run(network).expect("it runs"), outside);
            let panic: fn() -> () = || std::panic::resume_unwind(Box::new("of no matter"));
            assert!(host.run(panic).is_err());
            assert_eq!(host.run(network).expect("it still runs"), outside);
        });
    }
}
