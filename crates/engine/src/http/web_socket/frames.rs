//! Frames of a WebSocket (RFC 6455) as a server reads and writes them; no input or output.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A control frame's content is at most this long.
const CONTROL_MAX: u64 = 125;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// How a frame begins that closes.
pub const CLOSE_FRAME: u8 = 0x80 | CLOSE;

/// What a client's message is made of; of data, as much as there is.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Data(Bytes),
    Ping(Bytes),
    Close,
}

/// What the protocol does not allow.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation;

/// How output is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    is_last: bool,
    opcode: u8,
    length: u64,
    mask: [u8; 4],
}

impl Header {
    fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

/// Takes a client's frames apart. Data is passed on as it comes: a frame may be longer than memory.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The data frame that is being read, and how much of it was.
    frame: Option<(Header, u64)>,
    /// A message has begun that is in several frames.
    in_message: bool,
}

impl Decoder {
    /// Takes the next event out of `input`; none while there is too little of it.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        loop {
            if let Some((header, done)) = &mut self.frame {
                let left = header.length - *done;
                if left > 0 && input.is_empty() {
                    return Ok(None);
                }
                let count = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let mut data = input.split_to(count);
                unmask(&mut data, header.mask, *done);
                *done += count as u64;
                if *done == header.length {
                    self.frame = None;
                }
                if !data.is_empty() {
                    return Ok(Some(Event::Data(data.freeze())));
                }
                continue;
            }
            let Some((header, size)) = header(input)? else { return Ok(None) };
            if header.is_control() {
                let whole = size + usize::try_from(header.length).map_err(|_| Violation)?;
                if input.len() < whole {
                    return Ok(None);
                }
                input.advance(size);
                if let Some(event) = control(header, input.split_to(whole - size)) {
                    return Ok(Some(event));
                }
                continue;
            }
            if (header.opcode == CONTINUATION) != self.in_message {
                return Err(Violation);
            }
            self.in_message = !header.is_last;
            input.advance(size);
            self.frame = Some((header, 0));
        }
    }
}

/// The header at the beginning of `input` and its size, once it is there whole.
fn header(input: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
    let [first, second, ..] = *input else { return Ok(None) };
    let (is_last, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0f);
    let known = matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
    let is_masked = second & 0x80 != 0;
    if reserved != 0 || !known || !is_masked {
        return Err(Violation);
    }
    let (length, at) = match second & 0x7f {
        126 => match input.get(2..4) {
            Some(bytes) => (bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)), 4),
            None => return Ok(None),
        },
        127 => match input.get(2..10) {
            Some(bytes) => {
                (bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)), 10)
            }
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    if opcode >= CLOSE && (length > CONTROL_MAX || !is_last) || length >> 63 != 0 {
        return Err(Violation);
    }
    let Some(mask) = input.get(at..at + 4).and_then(|mask| mask.try_into().ok()) else {
        return Ok(None);
    };
    Ok(Some((Header { is_last, opcode, length, mask }, at + 4)))
}

fn control(header: Header, mut content: BytesMut) -> Option<Event> {
    unmask(&mut content, header.mask, 0);
    match header.opcode {
        CLOSE => Some(Event::Close),
        PING => Some(Event::Ping(content.freeze())),
        // Nobody was asked anything.
        _ => None,
    }
}

fn unmask(data: &mut [u8], mask: [u8; 4], offset: u64) {
    for (at, byte) in data.iter_mut().enumerate() {
        *byte ^= mask[((offset + at as u64) % 4) as usize];
    }
}

/// A whole message.
pub fn message(payload: Payload, content: &[u8]) -> Bytes {
    let opcode = if payload == Payload::Text { TEXT } else { BINARY };
    frame(opcode, content)
}

pub fn pong(content: &[u8]) -> Bytes {
    frame(PONG, content)
}

/// `code` is one of the RFC's: 1000 for a regular end, 1002 after a violation.
pub fn close(code: u16) -> Bytes {
    frame(CLOSE, &code.to_be_bytes())
}

fn frame(opcode: u8, content: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(content.len() + 10);
    frame.put_u8(0x80 | opcode);
    match content.len() {
        short @ 0..=125 => frame.put_u8(short as u8),
        medium @ 126..=0xffff => {
            frame.put_u8(126);
            frame.put_u16(medium as u16);
        }
        long => {
            frame.put_u8(127);
            frame.put_u64(long as u64);
        }
    }
    frame.extend_from_slice(content);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn masked(first: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = frame(0, content).to_vec();
        bytes[0] = first;
        let at = bytes.len() - content.len();
        bytes[1] |= 0x80;
        let mut content = content.to_vec();
        unmask(&mut content, MASK, 0);
        bytes.splice(at.., MASK.into_iter().chain(content));
        bytes
    }

    fn events(bytes: &[u8], piece: usize) -> Result<Vec<Event>, Violation> {
        let (mut decoder, mut input, mut events) =
            (Decoder::default(), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(event) = decoder.next(&mut input)? {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn text(events: &[Event]) -> Vec<u8> {
        let data = events.iter().filter_map(|event| match event {
            Event::Data(bytes) => Some(bytes.to_vec()),
            _ => None,
        });
        data.flatten().collect()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(events(&hello, 99).unwrap(), [Event::Data(Bytes::from_static(b"Hello"))]);
        assert_eq!(message(Payload::Text, b"Hello"), &b"\x81\x05Hello"[..]);
        assert_eq!(close(1000), &b"\x88\x02\x03\xe8"[..]);
    }

    #[test]
    fn frames_are_the_same_however_they_come_in() {
        let long = vec![7; 70_000];
        let mut bytes = masked(0x01, b"first ");
        bytes.extend(masked(0x89, b"ping"));
        bytes.extend(masked(0x80, &[b'x'; 300]));
        bytes.extend(masked(0x8a, b"unasked"));
        bytes.extend(masked(0x82, b""));
        bytes.extend(masked(0x82, &long));
        bytes.extend(masked(0x88, &1000_u16.to_be_bytes()));
        let expected = [&b"first "[..], &[b'x'; 300], &long].concat();
        for piece in [1, 3, 1000, usize::MAX] {
            let events = events(&bytes, piece).unwrap();
            assert_eq!(text(&events), expected, "{piece}");
            assert!(events.contains(&Event::Ping(Bytes::from_static(b"ping"))));
            assert_eq!(events.last(), Some(&Event::Close));
        }
    }

    #[test]
    fn what_the_protocol_does_not_allow_is_refused_at_once() {
        let unmasked = b"\x81\x05Hello".to_vec();
        let giant = [&[0x82, 0xff][..], &[0xff; 8], &MASK].concat();
        let long_ping = [&[0x89, 0xfe, 0x01, 0x00][..], &MASK].concat();
        let refused = [
            unmasked,
            giant,
            long_ping,
            masked(0xc1, b"reserved bit"),
            masked(0x83, b"reserved opcode"),
            masked(0x09, b"ping in parts"),
            masked(0x80, b"goes on with nothing"),
            [masked(0x01, b"part"), masked(0x81, b"another message")].concat(),
        ];
        for bytes in refused {
            for piece in [1, usize::MAX] {
                assert_eq!(events(&bytes, piece), Err(Violation), "{bytes:x?}");
            }
        }
    }

    #[test]
    fn a_frame_without_end_is_passed_on_and_not_kept() {
        let mut input = BytesMut::new();
        input.extend_from_slice(&[0x82, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut decoder = Decoder::default();
        for _ in 0..100 {
            input.extend_from_slice(&[1; 4096]);
            let event = decoder.next(&mut input).unwrap();
            assert_eq!(event, Some(Event::Data(Bytes::from(vec![1; 4096]))));
            assert!(input.is_empty());
        }
    }
}
