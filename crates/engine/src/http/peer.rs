//! Who is at the other end of a connection, and how many connections each may have.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::Who;
use crate::authorization::User;

#[derive(Clone, Debug)]
pub struct Peer {
    pub who: Who,
    key: Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    User(u32),
    Address(IpAddr),
    Unknown,
}

impl Peer {
    /// The process that connected to a unix socket, as the kernel noted it then.
    pub fn of_unix(socket: impl AsFd) -> Self {
        let Ok(credentials) = rustix::net::sockopt::socket_peercred(socket) else {
            return Self { who: Who::default(), key: Key::Unknown };
        };
        let uid = credentials.uid.as_raw();
        let who = Who {
            uid: Some(uid),
            gid: Some(credentials.gid.as_raw()),
            pid: Some(credentials.pid.as_raw_nonzero().get()),
            ..Who::default()
        };
        Self { who, key: Key::User(uid) }
    }

    pub fn of_tcp(address: SocketAddr) -> Self {
        let who = Who { address: Some(address.to_string()), ..Who::default() };
        Self { who, key: Key::Address(address.ip().to_canonical()) }
    }

    /// After a handshake in which the client showed a certificate.
    pub fn named(mut self, subject: Option<String>) -> Self {
        self.who.subject = subject;
        self
    }

    pub fn user(&self) -> User {
        match &self.who.subject {
            Some(name) => User { name: name.clone(), method: "TLS" },
            None => User::default(),
        }
    }
}

/// Counts connections by peer, so that no user and no address can take all of them; root can.
pub struct Crowd {
    limit: usize,
    present: Arc<Mutex<HashMap<Key, usize>>>,
}

/// One connection's place, given back when it is dropped.
pub struct Place {
    key: Key,
    present: Arc<Mutex<HashMap<Key, usize>>>,
}

impl Crowd {
    pub fn new(limit: usize) -> Self {
        Self { limit, present: Arc::default() }
    }

    /// `None` if this peer has as many connections as one may have.
    pub fn admit(&self, peer: &Peer) -> Option<Place> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let count = present.entry(peer.key).or_default();
        if *count >= self.limit && peer.key != Key::User(0) {
            return None;
        }
        *count += 1;
        Some(Place { key: peer.key, present: Arc::clone(&self.present) })
    }

    /// All connections there are.
    pub fn count(&self) -> usize {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = present.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_and_no_user_but_root_takes_all_connections() {
        let crowd = Crowd::new(2);
        let tcp = |text: &str| Peer::of_tcp(text.parse().unwrap());
        let user = |uid| Peer { who: Who::default(), key: Key::User(uid) };
        for peer in [tcp("1.2.3.4:1"), user(1000)] {
            let places: Vec<_> = (0..2).map(|_| crowd.admit(&peer).unwrap()).collect();
            assert!(crowd.admit(&peer).is_none());
            drop(places);
            assert!(crowd.admit(&peer).is_some());
        }
        let _first =
            [crowd.admit(&tcp("1.2.3.4:1")).unwrap(), crowd.admit(&tcp("1.2.3.4:2")).unwrap()];
        assert!(
            crowd.admit(&tcp("[::ffff:1.2.3.4]:3")).is_none(),
            "the same address in other clothes"
        );
        assert!(crowd.admit(&tcp("1.2.3.5:1")).is_some());
        let root: Vec<_> = (0..10).map(|_| crowd.admit(&user(0)).unwrap()).collect();
        assert_eq!(crowd.count(), 12);
        drop(root);
        assert_eq!(crowd.count(), 2);
    }
}
