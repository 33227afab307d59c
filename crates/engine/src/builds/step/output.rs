//! What a step writes, on its way from the monitor's socket to whoever takes it.

use std::io;
use std::os::unix::net::UnixStream as Socket;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::UnixStream;

use super::Output;

const HEADER: usize = 8;
/// A monitor sends far less at a time.
const MAX_PIECE: usize = 16 << 20;

/// Until the step is over and all was taken, or nobody takes any more.
pub async fn forward(socket: Socket, output: Output) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let mut socket = BufReader::with_capacity(64 << 10, UnixStream::from_std(socket)?);
    let mut header = [0; HEADER];
    loop {
        match socket.read_exact(&mut header).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => drop(result?),
        }
        let [stream, _, _, _, length @ ..] = header;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_PIECE {
            return Err(io::Error::other("the monitor sends more than it may"));
        }
        let mut piece = vec![0; length];
        socket.read_exact(&mut piece).await?;
        if output.send((stream, Bytes::from(piece))).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn pieces_arrive_by_stream_and_in_order() {
        let (ours, mut theirs) = Socket::pair().unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let forwarding = tokio::spawn(forward(ours, sender));
        theirs.write_all(b"\x01\0\0\0\0\0\0\x02hi\x02\0\0\0\0\0\0\x03err").unwrap();
        drop(theirs);
        assert_eq!(receiver.recv().await, Some((1, Bytes::from("hi"))));
        assert_eq!(receiver.recv().await, Some((2, Bytes::from("err"))));
        assert_eq!(receiver.recv().await, None);
        forwarding.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_length_that_lies_makes_room_for_nothing() {
        let (ours, mut theirs) = Socket::pair().unwrap();
        let (sender, _receiver) = mpsc::channel(1);
        theirs.write_all(b"\x01\0\0\0\xff\xff\xff\xff").unwrap();
        assert!(forward(ours, sender).await.is_err());
    }
}
