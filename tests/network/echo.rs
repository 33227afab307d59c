//! Servers and clients of UDP, each in a network of its own.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use testkit::engine::Engine;

/// Sends back what comes to a port of a container by UDP, until it is dropped.
pub(super) struct Echo(Arc<AtomicBool>);

impl Echo {
    pub(super) fn start(engine: &Engine, name: &str, port: u16) -> Self {
        let pid = engine.gantry(&["inspect", "-f", "{{.State.Pid}}", name]).ok();
        let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let socket = within_network(&format!("/proc/{pid}/ns/net"), bind);
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_over);
        std::thread::spawn(move || {
            let mut datagram = [0; 64];
            while !watched.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut datagram) {
                    // Who is gone needs no answer.
                    let _ = socket.send_to(&datagram[..length], from);
                }
            }
        });
        Self(is_over)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) fn is_echoed(ip: impl Into<IpAddr>, port: u16) -> bool {
    let ip = ip.into();
    let own: IpAddr =
        if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(b"datagram", (ip, port)).unwrap();
    let mut answer = [0; 64];
    socket.recv_from(&mut answer).is_ok_and(|(length, from)| {
        &answer[..length] == b"datagram" && from == SocketAddr::new(ip, port)
    })
}

/// On a thread of its own, which stays there.
pub(super) fn within_network<T: Send>(path: &str, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(path).unwrap();
    let enter = || {
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
}
