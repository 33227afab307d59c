use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

use super::*;
use crate::dns::{ADDRESS, Sockets};

const SERVER: (Ipv4Addr, u16) = (ADDRESS, 53);

/// Answers one question by each way, as it was asked.
fn serve(sockets: Sockets) {
    let udp = UdpSocket::from(sockets.udp);
    let tcp = TcpListener::from(sockets.tcp);
    udp.set_nonblocking(false).expect("block");
    tcp.set_nonblocking(false).expect("block");
    let mut buffer = [0; 64];
    let (length, client) = udp.recv_from(&mut buffer).expect("a question");
    udp.send_to(&buffer[..length], client).expect("answer");
    let (mut client, _) = tcp.accept().expect("a client");
    let length = client.read(&mut buffer).expect("a question");
    client.write_all(&buffer[..length]).expect("answer");
}

/// From a connected socket: an answer that comes from another port would not arrive.
fn ask() -> [Vec<u8>; 2] {
    let mut buffer = [0; 64];
    let udp = UdpSocket::bind("0.0.0.0:0").expect("bind");
    udp.connect(SERVER).expect("connect");
    udp.send(b"by udp").expect("ask");
    let length = udp.recv(&mut buffer).expect("an answer");
    let by_udp = buffer[..length].to_vec();
    let mut tcp = TcpStream::connect(SERVER).expect("connect");
    tcp.write_all(b"by tcp").expect("ask");
    let length = tcp.read(&mut buffer).expect("an answer");
    [by_udp, buffer[..length].to_vec()]
}

#[test]
fn queries_reach_the_sockets_though_the_container_has_port_53_itself() {
    isolated(|| {
        let network = open("dns-queries");
        let web = create(&network, "web", &[], &["10.81.0.0/24"]);
        let joined = network.join("c1", &[wish(&web)]).expect("join");
        let sockets = joined.dns.expect("a name server");
        let container = Container { netns: joined.netns, interface: joined.interfaces[0].clone() };
        let server = std::thread::spawn(|| serve(sockets));
        let answers = container.run(|| {
            let _own = UdpSocket::bind("0.0.0.0:53").expect("port 53 is the container's");
            let _listener = TcpListener::bind("0.0.0.0:53").expect("port 53 is the container's");
            ask()
        });
        assert_eq!(answers, [b"by udp".to_vec(), b"by tcp".to_vec()]);
        server.join().expect("the server");
    });
}

#[test]
fn only_user_defined_networks_come_with_a_name_server_and_a_running_container_gets_one_later() {
    isolated(|| {
        let network = open("dns-later");
        let joined = network.join("c1", &[wish(network.default_network())]).expect("join");
        assert!(joined.dns.is_none());
        assert!(network.join("c2", &[]).expect("join").dns.is_none());
        let container = Container { netns: joined.netns, interface: joined.interfaces[0].clone() };
        let stale = network.open_dns(container.netns.as_fd()).expect("a name server");
        let sockets = network.open_dns(container.netns.as_fd()).expect("again");
        let server = std::thread::spawn(|| serve(sockets));
        assert_eq!(container.run(ask), [b"by udp".to_vec(), b"by tcp".to_vec()]);
        server.join().expect("the server");
        drop(stale);
    });
}
