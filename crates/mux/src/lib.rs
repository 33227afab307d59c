//! Many streams of bytes over one connection, for both of its ends; the framing of a build's session
//! (docs/design/0018-build-session.md).
//!
//! Either side opens streams, with a short request that says what for. Each stream goes both ways, and each way ends by
//! itself. Nobody sends more than the other has room for: a stream that is not read stands still, and no other with it.
//!
//! The peer may be hostile: what it can make this side keep is [`MOST_STREAMS`] windows, and whatever breaks the
//! protocol ends the connection.

mod connection;
mod frame;
mod stream;

pub use connection::{Accepted, Connection, MOST_STREAMS, Side};
pub use frame::MAX_PAYLOAD;
pub use stream::{Reader, Receiver, Sender, Stream};

#[cfg(test)]
mod tests;
