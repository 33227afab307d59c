//! Servers on real sockets of this machine's loopback, asked by anybody.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;

/// One container, `web` at 10.0.0.2, and where its server is asked.
struct Asked {
    dns: Dns,
    udp: SocketAddr,
    tcp: SocketAddr,
}

fn presence() -> Presence {
    let endpoint = Endpoint {
        network: "n".into(),
        network_name: "net".into(),
        names: vec!["web".into()],
        addresses: vec![[10, 0, 0, 2].into()],
        links: Vec::new(),
    };
    Presence { endpoints: vec![endpoint], leads_out: true }
}

fn serve(upstream: &[SocketAddr]) -> Asked {
    let udp = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    udp.set_nonblocking(true).unwrap();
    tcp.set_nonblocking(true).unwrap();
    let (udp_address, tcp_address) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let dns = Dns::default();
    dns.set("c1", Some(presence()));
    let server = Server {
        shared: Arc::clone(&dns.0),
        container: "c1".into(),
        manners: Manners::default(),
        route: Route {
            servers: Servers::Given(upstream.to_vec()),
            namespace: sys::netns::current().unwrap(),
        },
    };
    dns.start(server, Sockets { udp: udp.into(), tcp: tcp.into() });
    Asked { dns, udp: udp_address, tcp: tcp_address }
}

fn query(name: &str) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

impl Asked {
    async fn by_udp(&self, name: &str) -> Message {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.send_to(&query(name), self.udp).await.unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).await.unwrap();
        Message::from_vec(&buffer[..length]).unwrap()
    }

    async fn by_tcp(&self, bytes: &[u8]) -> Message {
        let mut stream = TcpStream::connect(self.tcp).await.unwrap();
        stream.write_all(&framed(bytes)).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await.unwrap();
        Message::from_vec(&answer).unwrap()
    }
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Another name server. It does with each question what it is told to; a question in vain ends it with the test.
fn upstream(
    answer: impl Fn(&mut Message, &StdUdpSocket, SocketAddr) -> bool + Send + 'static,
) -> SocketAddr {
    let socket = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            message.metadata.message_type = MessageType::Response;
            if answer(&mut message, &socket, client) {
                socket.send_to(&message.to_vec().unwrap(), client).unwrap();
            }
        }
    });
    address
}

fn saying(code: ResponseCode) -> SocketAddr {
    upstream(move |message, _, _| {
        message.metadata.response_code = code;
        true
    })
}

#[tokio::test]
async fn names_are_answered_by_udp_and_tcp() {
    let asked = serve(&[]);
    for answer in [asked.by_udp("web.").await, asked.by_tcp(&query("web.net.")).await] {
        assert_eq!((answer.metadata.id, answer.answers.len()), (7, 1));
    }
    let unknown = asked.by_udp("nobody.").await;
    assert_eq!(unknown.metadata.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn a_container_that_is_gone_has_no_server() {
    let asked = serve(&[]);
    asked.by_udp("web.").await;
    asked.dns.set("c1", None);
    assert!(asked.dns.0.servers().is_empty());
    while TcpStream::connect(asked.tcp).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_answer_that_is_no_failure_counts() {
    let asked = serve(&[saying(ResponseCode::ServFail), saying(ResponseCode::NXDomain)]);
    let answer = asked.by_udp("example.org.").await;
    assert_eq!((answer.metadata.id, answer.metadata.response_code), (7, ResponseCode::NXDomain));
    let refused = serve(&[saying(ResponseCode::Refused)]).by_udp("example.org.").await;
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_the_last_that_is_asked() {
    let asked = serve(&[upstream(|_, _, _| false), saying(ResponseCode::NXDomain)]);
    let answer = asked.by_udp("example.org.").await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn answers_to_other_questions_are_not_believed() {
    let liar = upstream(|message, socket, client| {
        let mut other = message.clone();
        other.metadata.id ^= 1;
        socket.send_to(&other.to_vec().unwrap(), client).unwrap();
        other.metadata.id ^= 1;
        other.queries = vec![Query::query(Name::from_ascii("evil.").unwrap(), RecordType::A)];
        socket.send_to(&other.to_vec().unwrap(), client).unwrap();
        socket.send_to(b"\0", client).unwrap();
        message.metadata.response_code = ResponseCode::NXDomain;
        true
    });
    let answer = serve(&[liar]).by_udp("example.org.").await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(answer.queries[0].name, Name::from_ascii("example.org.").unwrap());
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_the_asker_is_cut() {
    let long = upstream(|message, _, _| {
        let text = hickory_proto::rr::rdata::TXT::new(vec!["x".repeat(200); 5]);
        let name = message.queries[0].name.clone();
        message.add_answer(hickory_proto::rr::Record::from_rdata(
            name,
            1,
            hickory_proto::rr::RData::TXT(text),
        ));
        true
    });
    let answer = serve(&[long]).by_udp("example.org.").await;
    assert!(answer.metadata.truncation && answer.answers.is_empty());
}

#[tokio::test]
async fn over_tcp_others_are_asked_over_tcp() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 2 + query("example.org.").len()];
        stream.read_exact(&mut bytes).unwrap();
        bytes[4] |= 0x80;
        stream.write_all(&bytes).unwrap();
    });
    let answer = serve(&[address]).by_tcp(&query("example.org.")).await;
    assert_eq!((answer.metadata.id, answer.metadata.message_type), (7, MessageType::Response));
}

#[tokio::test]
async fn dns_flood_of_nonsense_does_not_keep_others_from_answers() {
    let asked = serve(&[]);
    let flood = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for length in (0..2000).map(|n| n % 600) {
        flood.send_to(&vec![0xc0; length], asked.udp).await.unwrap();
    }
    // What does not fit into the socket is lost: whoever asks asks again.
    let again = async {
        loop {
            let answer = tokio::time::timeout(Duration::from_millis(500), asked.by_udp("web."));
            if let Ok(answer) = answer.await {
                return answer;
            }
        }
    };
    assert_eq!(again.await.answers.len(), 1);
}

#[tokio::test]
async fn dns_questions_that_wait_have_an_end_and_known_names_do_not_wait() {
    let silent = upstream(|_, _, _| false);
    let asked = serve(&[silent]);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut buffer = [0; 512];
    // Sent one by one, so that none is lost before it is read.
    for number in 0..160u16 {
        let mut bytes = query("example.org.");
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        socket.send_to(&bytes, asked.udp).await.unwrap();
        assert_eq!(asked.by_udp("web.").await.answers.len(), 1, "after {number}");
    }
    let length = socket.recv(&mut buffer).await.unwrap();
    let refused = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(refused.metadata.response_code, ResponseCode::ServFail);
    assert!(refused.metadata.id >= 128, "{} waited", refused.metadata.id);
}

#[tokio::test]
async fn dns_message_of_64_kib_over_tcp_is_not_read() {
    let asked = serve(&[]);
    let mut stream = TcpStream::connect(asked.tcp).await.unwrap();
    // The other end is closed before all of it is written, or after.
    let _ = stream.write_all(&framed(&vec![0; 65535])).await;
    let mut answer = Vec::new();
    // Closed or reset, as the case may be.
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    assert_eq!(asked.by_tcp(&query("web.")).await.answers.len(), 1);
}

/// Time passes when nothing else does.
#[tokio::test(start_paused = true)]
async fn dns_half_a_message_over_tcp_and_silence_is_given_up() {
    let asked = serve(&[]);
    let mut halves = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(asked.tcp).await.unwrap();
        stream.write_all(&framed(&query("web."))[..9]).await.unwrap();
        halves.push(stream);
    }
    for mut stream in halves {
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "it is closed without an answer");
    }
    assert_eq!(asked.by_tcp(&query("web.")).await.answers.len(), 1);
}
