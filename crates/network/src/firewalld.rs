//! Where firewalld runs, the engine's bridges are in a zone of their own, by firewalld's interface on the system bus. Its
//! tables are not touched.
//!
//! A bridge that is in no zone belongs to the default one, which does not forward what containers send. The zone, and a
//! policy for what is sent to networks that are routed, are made once and permanent, and are shared by all engines; what
//! may reach containers is decided in the engine's own table. Which bridges are in the zone firewalld forgets when it
//! reloads or begins anew: it is told again. Where the administrator has put a bridge into another zone, it stays there.
//!
//! One thread speaks with firewalld. An engine that starts does not wait for it; whoever makes a network does, for as long
//! as a firewalld that works can take.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dbus::{Body, Connection, Message, Method, Value};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::{Errno, retry_on_intr};

use crate::error::{Context, Result};

const NAME: &str = "org.fedoraproject.FirewallD1";
const PATH: &str = "/org/fedoraproject/FirewallD1";
const CONFIG_PATH: &str = "/org/fedoraproject/FirewallD1/config";
const ZONE: &str = "gantry";
const POLICY: &str = "gantry-forwarding";
const RELOADED: &str = "type='signal',sender='org.fedoraproject.FirewallD1',\
                        interface='org.fedoraproject.FirewallD1',member='Reloaded'";
const CAME_OR_WENT: &str = "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',\
                            member='NameOwnerChanged',arg0='org.fedoraproject.FirewallD1'";
/// A reload of a large rule set takes seconds; the bus gives up after 25.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread that ends when this is dropped, with what it is about.
#[derive(Debug)]
pub(crate) struct Firewalld {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    wishes: Mutex<Wishes>,
    changed: Condvar,
    /// Written to when there are new wishes.
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct Wishes {
    bridges: BTreeSet<String>,
    gone: BTreeSet<String>,
    /// Counts changes, and up to where they have been told.
    made: u64,
    told: u64,
    is_over: bool,
}

impl Firewalld {
    /// Puts these bridges into the zone as soon as firewalld is there; `bus` is the system bus' socket. None where there
    /// is no bus.
    pub(crate) fn start(
        bus: PathBuf,
        bridges: impl Iterator<Item = String>,
    ) -> Result<Option<Self>> {
        if !bus.exists() {
            return Ok(None);
        }
        let action = || "speak with firewalld".to_owned();
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = eventfd(0, flags).map_err(io::Error::from).context(action)?;
        let wishes = Wishes { bridges: bridges.collect(), made: 1, ..Wishes::default() };
        let shared = Arc::new(Shared { wishes: wishes.into(), changed: Condvar::new(), wake });
        let speaker = Arc::clone(&shared);
        let work = move || {
            if let Err(error) = Speaker::run(&bus, &speaker) {
                tracing::warn!("firewalld is not told of networks any more: {error}");
            }
            speaker.end();
        };
        std::thread::Builder::new().name("firewalld".into()).spawn(work).context(action)?;
        Ok(Some(Self { shared }))
    }

    /// Returns when firewalld has it, or is not there.
    pub(crate) fn add(&self, bridge: &str) {
        self.shared.change(|wishes| {
            wishes.gone.remove(bridge);
            wishes.bridges.insert(bridge.to_owned());
        });
        self.shared.settle();
    }

    pub(crate) fn remove(&self, bridge: &str) {
        self.shared.change(|wishes| {
            if wishes.bridges.remove(bridge) {
                wishes.gone.insert(bridge.to_owned());
            }
        });
    }

    /// Removes them all, and waits for it.
    pub(crate) fn clear(&self) {
        self.shared.change(|wishes| {
            let all = std::mem::take(&mut wishes.bridges);
            wishes.gone.extend(all);
        });
        self.shared.settle();
    }
}

impl Drop for Firewalld {
    fn drop(&mut self) {
        // It may be in the middle of a call that takes long: it ends by itself.
        self.shared.end();
        self.shared.wake();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wishes> {
        // A change is complete in itself: a panic elsewhere leaves nothing half-made.
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Wishes)) {
        let mut wishes = self.lock();
        change(&mut wishes);
        wishes.made += 1;
        drop(wishes);
        self.wake();
    }

    fn wake(&self) {
        // An eventfd of our own takes this.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn settle(&self) {
        let wishes = self.lock();
        let wanted = wishes.made;
        let is_pending = |wishes: &mut Wishes| wishes.told < wanted && !wishes.is_over;
        let waited = self.changed.wait_timeout_while(wishes, PATIENCE, is_pending);
        let (_wishes, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            tracing::warn!("firewalld does not answer: a network may have no way out for now");
        }
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

/// What the thread knows.
struct Speaker<'a> {
    bus: Connection,
    shared: &'a Shared,
    /// In the zone since firewalld has last begun anew.
    put: BTreeSet<String>,
    has_zone: bool,
}

impl<'a> Speaker<'a> {
    /// Until nobody is interested any more.
    fn run(socket: &std::path::Path, shared: &'a Shared) -> io::Result<()> {
        let mut bus = Connection::open_bus(socket)?;
        // Before it is asked whether it is there, lest its coming be missed.
        bus.listen(RELOADED)?;
        bus.listen(CAME_OR_WENT)?;
        let mut speaker = Self { bus, shared, put: BTreeSet::new(), has_zone: false };
        while speaker.turn()? {}
        Ok(())
    }

    fn turn(&mut self) -> io::Result<bool> {
        let mut wishes = self.shared.lock();
        if wishes.is_over {
            return Ok(false);
        }
        let (bridges, made) = (wishes.bridges.clone(), wishes.made);
        let gone = std::mem::take(&mut wishes.gone);
        drop(wishes);
        if self.bus.is_there(NAME)? {
            self.tell(&bridges, &gone)?;
        }
        self.shared.lock().told = made;
        self.shared.changed.notify_all();
        // What came while it was told would not wake us.
        if !self.is_forgotten()? {
            self.wait()?;
            self.is_forgotten()?;
        }
        Ok(true)
    }

    /// Whether a signal says that firewalld knows nothing of us any more.
    fn is_forgotten(&mut self) -> io::Result<bool> {
        let is_anew = self.bus.signals()?.iter().any(is_anew);
        if is_anew {
            (self.put, self.has_zone) = (BTreeSet::new(), false);
        }
        Ok(is_anew)
    }

    fn wait(&self) -> io::Result<()> {
        let mut fds = [
            PollFd::from_borrowed_fd(self.bus.as_fd(), PollFlags::IN),
            PollFd::new(&self.shared.wake, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut fds, None))?;
        match rustix::io::read(&self.shared.wake, &mut [0; 8]) {
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn tell(&mut self, bridges: &BTreeSet<String>, gone: &BTreeSet<String>) -> io::Result<()> {
        for bridge in gone {
            self.put.remove(bridge);
            self.move_bridge("removeInterface", bridge)?;
        }
        if !self.has_zone && !bridges.is_empty() {
            self.has_zone = self.ensure_zone()?;
        }
        for bridge in bridges.difference(&self.put.clone()) {
            if self.move_bridge("addInterface", bridge)? {
                self.put.insert(bridge.clone());
            }
        }
        Ok(())
    }

    /// False where firewalld does not want it.
    fn move_bridge(&mut self, method: &str, bridge: &str) -> io::Result<bool> {
        let mut body = Body::default();
        body.text(ZONE);
        body.text(bridge);
        let method = of_zones(method, "ss");
        // The last: it is in a zone of the administrator's choice.
        let fine = ["ZONE_ALREADY_SET", "UNKNOWN_INTERFACE", "ZONE_CONFLICT"];
        self.ask(&method, body, &fine).map(|answer| answer != Answer::Refused)
    }

    /// The zone and the policy are there; a reload makes them so where they are new.
    fn ensure_zone(&mut self) -> io::Result<bool> {
        let zones = self.bus.call(&of_zones("getZones", ""), Body::default());
        if names(zones)?.iter().any(|name| name == ZONE) {
            return Ok(true);
        }
        let accepting = ("target", Value::Text("ACCEPT".into()));
        let zone = [accepting.clone(), ("short", Value::Text("containers of Gantry".into()))];
        if !self.configure("addZone2", ZONE, &zone)? {
            return Ok(false);
        }
        // It has no policies before 0.9. Containers of routed networks are not reached from outside then.
        let policy = [
            accepting,
            ("ingress_zones", Value::Texts(vec!["ANY".into()])),
            ("egress_zones", Value::Texts(vec![ZONE.into()])),
        ];
        self.configure("addPolicy", POLICY, &policy)?;
        let reload = Method {
            destination: NAME,
            path: PATH,
            interface: NAME,
            name: "reload",
            signature: "",
        };
        self.ask(&reload, Body::default(), &[]).map(|answer| answer != Answer::Refused)
    }

    /// Makes something permanent, unless another engine has.
    fn configure(&mut self, method: &str, name: &str, of: &[(&str, Value)]) -> io::Result<bool> {
        let mut body = Body::default();
        body.text(name);
        body.properties(of);
        let interface = "org.fedoraproject.FirewallD1.config";
        let method = Method {
            destination: NAME,
            path: CONFIG_PATH,
            interface,
            name: method,
            signature: "sa{sv}",
        };
        self.ask(&method, body, &["NAME_CONFLICT"]).map(|answer| answer != Answer::Refused)
    }

    /// What firewalld refuses goes to the log; an error is one of the bus.
    fn ask(&mut self, method: &Method<'_>, body: Body, fine: &[&str]) -> io::Result<Answer> {
        match self.bus.call(method, body) {
            Err(error) if error.kind() == ErrorKind::Other => {
                let text = error.to_string();
                if fine.iter().any(|word| text.contains(word)) {
                    return Ok(Answer::AlreadySo);
                }
                tracing::warn!("firewalld refuses {text}");
                Ok(Answer::Refused)
            }
            result => result.map(|_| Answer::Done),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done,
    AlreadySo,
    Refused,
}

fn of_zones<'a>(name: &'a str, signature: &'a str) -> Method<'a> {
    let interface = "org.fedoraproject.FirewallD1.zone";
    Method { destination: NAME, path: PATH, interface, name, signature }
}

/// None of one that refuses to tell.
fn names(answer: io::Result<Message>) -> io::Result<Vec<String>> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Other => Ok(Vec::new()),
        answer => {
            let answer = answer?;
            let names = answer.body().texts().unwrap_or_default();
            Ok(names.into_iter().map(str::to_owned).collect())
        }
    }
}

fn is_anew(signal: &Message) -> bool {
    signal.is_signal("Reloaded") || signal.is_signal("NameOwnerChanged")
}
