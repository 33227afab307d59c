//! The framing of attach, exec and logs without a terminal: stdout and stderr in one connection.
//!
//! A frame is 8 bytes of head (stream number, three zero bytes, length as big-endian u32), then data.

/// Content type of multiplexed streams, from API 1.42.
pub const MULTIPLEXED: &str = "application/vnd.docker.multiplexed-stream";
/// Content type of streams without framing, and of every stream before API 1.42.
pub const RAW: &str = "application/vnd.docker.raw-stream";

/// Length of a frame's head.
pub const HEAD: usize = 8;

/// Which stream a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
    /// An error of the engine itself, as text.
    SystemError = 3,
}

/// The head of a frame of `length` bytes.
#[must_use]
pub fn head(stream: Stream, length: u32) -> [u8; HEAD] {
    let [a, b, c, d] = length.to_be_bytes();
    [stream as u8, 0, 0, 0, a, b, c, d]
}

/// The stream and length that a head announces; `None` for a stream number nobody defined.
#[must_use]
pub fn parse_head(head: [u8; HEAD]) -> Option<(Stream, u32)> {
    let stream = match head[0] {
        0 => Stream::Stdin,
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        3 => Stream::SystemError,
        _ => return None,
    };
    Some((stream, u32::from_be_bytes([head[4], head[5], head[6], head[7]])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_back_as_written() {
        assert_eq!(head(Stream::Stderr, 258), [2, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(parse_head(head(Stream::Stdout, u32::MAX)), Some((Stream::Stdout, u32::MAX)));
        assert_eq!(parse_head([9, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
