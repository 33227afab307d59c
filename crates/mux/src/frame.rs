//! A frame: the stream's number (4 bytes), its kind (1), the payload's length (4), the payload. Numbers are big-endian.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const HEAD: usize = 9;

/// Bytes of a payload at the most.
pub const MAX_PAYLOAD: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new stream; the payload says what for.
    Open = 1,
    Data = 2,
    /// This side sends no more.
    End = 3,
    /// The stream is over in both directions; the payload says why.
    Reset = 4,
    /// The other side may send so much more: 4 bytes.
    Credit = 5,
    /// This side reads no more of it; what it sends goes on.
    Stop = 6,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) stream: u32,
    pub(crate) kind: Kind,
    pub(crate) payload: Bytes,
}

impl Frame {
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        out.put_u32(self.stream);
        out.put_u8(self.kind as u8);
        out.put_u32(length);
        out.put_slice(&self.payload);
    }

    /// The next one; `None` where the connection ends between two.
    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut head = [0; HEAD];
        if from.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        from.read_exact(&mut head[1..]).await?;
        let [a, b, c, d, kind, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_PAYLOAD {
            return Err(broken("a frame that is too long"));
        }
        let mut payload = BytesMut::zeroed(length);
        from.read_exact(&mut payload).await?;
        let stream = u32::from_be_bytes([a, b, c, d]);
        Ok(Some(Self { stream, kind: parse(kind)?, payload: payload.freeze() }))
    }
}

fn parse(kind: u8) -> io::Result<Kind> {
    [Kind::Open, Kind::Data, Kind::End, Kind::Reset, Kind::Credit, Kind::Stop]
        .into_iter()
        .find(|known| *known as u8 == kind)
        .ok_or_else(|| broken("a frame of an unknown kind"))
}

pub(crate) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the other side sent {what}"))
}
