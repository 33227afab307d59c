use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use crate::connection::{FRAME_COST, WINDOW};
use crate::{Accepted, Connection, MAX_PAYLOAD, MOST_STREAMS, Side, Stream};

type End = (Connection, mpsc::Receiver<Accepted>);

fn end(io: DuplexStream, side: Side) -> End {
    let (reader, writer) = tokio::io::split(io);
    Connection::start(reader, writer, side)
}

fn pair() -> (End, End) {
    let (client, engine) = tokio::io::duplex(4096);
    (end(client, Side::Client), end(engine, Side::Engine))
}

/// An engine's end, and the bare stream of a client that sends what it likes.
fn bare() -> (End, DuplexStream) {
    let (client, engine) = tokio::io::duplex(1 << 20);
    (end(engine, Side::Engine), client)
}

fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&stream.to_be_bytes()[..], &[kind], &length.to_be_bytes(), payload].concat()
}

async fn all(mut stream: Stream) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    loop {
        match stream.receiver.recv().await {
            Ok(Some(bytes)) => all.extend_from_slice(&bytes),
            Ok(None) => return Ok(all),
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[tokio::test]
async fn bytes_go_both_ways_and_each_way_ends_by_itself() {
    let ((client, _), (_engine, mut asked)) = pair();
    let mut stream = client.open("what for").unwrap();
    let mut accepted = asked.recv().await.unwrap();
    assert_eq!(&accepted.request[..], b"what for");
    stream.sender.send("question").await.unwrap();
    stream.sender.finish();
    assert_eq!(accepted.stream.receiver.recv().await.unwrap().unwrap(), "question");
    assert_eq!(accepted.stream.receiver.recv().await.unwrap(), None);
    accepted.stream.sender.send("answer").await.unwrap();
    accepted.stream.sender.finish();
    assert_eq!(stream.receiver.recv().await.unwrap().unwrap(), "answer");
    assert_eq!(stream.receiver.recv().await.unwrap(), None);
}

#[tokio::test]
async fn megabytes_arrive_whole_and_a_stream_that_nobody_reads_stands_in_nobodys_way() {
    let ((client, _), (_engine, mut asked)) = pair();
    let stuck = client.open("stuck").unwrap();
    let unread = asked.recv().await.unwrap();
    let filling = tokio::spawn(async move { stuck.sender.send(vec![0; 4 * WINDOW]).await });
    let stream = client.open("fast").unwrap();
    let sent: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 251) as u8).collect();
    let bytes = Bytes::from(sent.clone());
    tokio::spawn(async move {
        stream.sender.send(bytes).await.unwrap();
        stream.sender.finish();
    });
    assert_eq!(all(asked.recv().await.unwrap().stream).await.unwrap(), sent);
    assert!(!filling.is_finished());
    drop(unread);
    assert!(filling.await.unwrap().is_err());
}

#[tokio::test]
async fn what_was_given_up_says_why() {
    let ((client, _), (_engine, mut asked)) = pair();
    let stream = client.open("a").unwrap();
    asked.recv().await.unwrap().stream.sender.fail("no such file");
    assert_eq!(all(stream).await.unwrap_err(), "no such file");
    let stream = client.open("b").unwrap();
    drop(asked.recv().await.unwrap());
    assert_eq!(all(stream).await.unwrap_err(), "it was given up");
    // Many streams, one after the other: the numbers of those that are over are free for others.
    for _ in 0..3 * MOST_STREAMS {
        let stream = client.open("c").unwrap();
        let Accepted { stream: Stream { sender, receiver }, .. } = asked.recv().await.unwrap();
        stream.sender.finish();
        drop(receiver);
        sender.send("x").await.unwrap();
        sender.finish();
        assert_eq!(stream.receiver.collect(1).await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn what_nobody_reads_any_more_counts_until_the_other_side_has_ended_it() {
    let ((client, _), (_engine, mut asked)) = pair();
    for _ in 0..MOST_STREAMS {
        let Stream { sender, receiver } = client.open("a").unwrap();
        sender.finish();
        drop(receiver);
    }
    assert_eq!(client.open("b").unwrap_err().to_string(), "too many streams are open");
    for _ in 0..MOST_STREAMS {
        asked.recv().await.unwrap().stream.sender.finish();
    }
    let stream = loop {
        match client.open("c") {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    asked.recv().await.unwrap().stream.sender.finish();
    assert!(all(stream).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_end_that_goes_fails_what_is_under_way() {
    let ((client, _), (engine, mut asked)) = pair();
    let stream = client.open("a").unwrap();
    let accepted = asked.recv().await.unwrap();
    drop(client);
    assert!(all(stream).await.is_err());
    let said = all(accepted.stream).await.unwrap_err();
    assert_eq!(said, "the connection was closed by the other side");
    engine.closed().await;
    assert!(asked.recv().await.is_none());
    assert!(engine.open("b").is_err());
}

#[tokio::test]
async fn a_farewell_comes_after_all_that_was_said() {
    let ((client, _), (engine, mut asked)) = pair();
    let stream = client.open("a").unwrap();
    let accepted = asked.recv().await.unwrap();
    accepted.stream.sender.send(vec![1; WINDOW / 2]).await.unwrap();
    accepted.stream.sender.finish();
    let finishing = tokio::spawn(async move { engine.finish().await });
    assert_eq!(all(stream).await.unwrap().len(), WINDOW / 2);
    drop(client);
    finishing.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_cut_off() {
    let open = frame(1, 1, b"");
    let too_much =
        [open.clone(), frame(1, 2, &vec![0; MAX_PAYLOAD]).repeat(WINDOW / MAX_PAYLOAD)].concat();
    let tiny = [open.clone(), frame(1, 2, b"").repeat(WINDOW / FRAME_COST + 1)].concat();
    for (what, bytes) in [
        ("an unknown kind", frame(1, 9, b"")),
        ("a stream of this side's numbers", frame(2, 1, b"")),
        ("a number used twice", [open.clone(), open.clone()].concat()),
        ("too many streams", (0..200).flat_map(|at| frame(2 * at + 1, 1, b"")).collect()),
        (
            "opened and reset",
            (0..200)
                .flat_map(|at| [frame(2 * at + 1, 1, b""), frame(2 * at + 1, 4, b"")].concat())
                .collect(),
        ),
        ("more than the window", too_much),
        ("empty frames without end", tiny),
        ("a credit without a number", [open.clone(), frame(1, 5, b"x")].concat()),
        ("credit for ever", [open.clone(), frame(1, 5, &[0xff; 4])].concat()),
        ("a length of 4 GiB", [&[0, 0, 0, 1, 2][..], &[0xff; 4]].concat()),
    ] {
        let ((engine, _asked), mut peer) = bare();
        // It may be cut off before it has said everything.
        let _ = peer.write_all(&bytes).await;
        tokio::time::timeout(Duration::from_secs(20), engine.closed()).await.expect(what);
        assert!(engine.open("x").is_err(), "{what}");
    }
}

#[tokio::test]
async fn frames_of_streams_that_are_over_are_late_and_no_fault() {
    let ((engine, mut asked), mut peer) = bare();
    peer.write_all(&frame(1, 1, b"")).await.unwrap();
    drop(asked.recv().await.unwrap());
    for kind in [2, 3, 4, 6] {
        peer.write_all(&frame(1, kind, b"")).await.unwrap();
    }
    peer.write_all(&frame(1, 5, &[0; 4])).await.unwrap();
    peer.write_all(&frame(3, 1, b"next")).await.unwrap();
    assert_eq!(&asked.recv().await.unwrap().request[..], b"next");
    drop(engine);
    // Nothing but resets came back, and the end.
    let mut said = Vec::new();
    peer.read_to_end(&mut said).await.unwrap();
}

proptest::proptest! {
    #[test]
    fn garbage_ends_the_connection_and_nothing_else(bytes in proptest::collection::vec(0u8.., 0..4096)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ((engine, _asked), mut peer) = bare();
            let _ = peer.write_all(&bytes).await;
            drop(peer);
            engine.closed().await;
        });
    }
}
