//! Netlink: a batch of requests in one send, answered in order.
//!
//! The kernel works a batch off within the send itself, so the answers are there when it returns: nothing here ever
//! waits, and an answer that is missing is an error. Only the last message of a batch asks for an acknowledgement;
//! a message that fails is answered in any case.

pub mod attributes;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;
const NLMSG_DONE: u16 = libc::NLMSG_DONE as u16;
const NLM_F_REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const NLM_F_ACK: u16 = libc::NLM_F_ACK as u16;
const NLM_F_DUMP: u16 = libc::NLM_F_DUMP as u16;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// Length of a message's header: length, type, flags, sequence number, port.
const HEADER_LEN: usize = 16;
/// The kernel never makes a datagram larger than this.
const RECEIVE_LEN: usize = 32 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Links, addresses, routes. Every message of a batch counts for itself.
    Route,
    /// nftables. A batch is a transaction between its begin and end messages.
    Netfilter,
    /// What sockets there are.
    SockDiag,
}

/// A netlink socket. It belongs to the network namespace it was opened in, whichever thread uses it.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    protocol: Protocol,
    next_sequence: u32,
    buffer: Vec<u8>,
}

/// Requests to be sent together.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each message starts.
    starts: Vec<usize>,
}

/// A message from the kernel, without its netlink header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: u16,
    pub payload: Vec<u8>,
}

/// What the kernel refused.
#[derive(Debug)]
pub struct Error {
    /// The position in the batch of the first message that failed.
    pub message: usize,
    pub errno: Errno,
    /// The kernel's own words, where it has any.
    pub explanation: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.explanation {
            Some(text) => write!(f, "{} ({text})", self.errno),
            None => write!(f, "{}", self.errno),
        }
    }
}

impl std::error::Error for Error {}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self { message: 0, errno, explanation: None }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(io::Error::from(error.errno).kind(), error)
    }
}

impl Batch {
    /// Appends a request of type `kind`; `payload` writes what follows the netlink header.
    pub fn push(&mut self, kind: u16, flags: u16, payload: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.starts.push(start);
        self.bytes.extend([0; HEADER_LEN]);
        payload(&mut self.bytes);
        let len = (self.bytes.len() - start) as u32;
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[start + 4..start + 6].copy_from_slice(&kind.to_ne_bytes());
        self.bytes[start + 6..start + 8].copy_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Asks for an acknowledgement of the message at `position`.
    fn acknowledge(&mut self, position: usize) {
        let at = self.starts[position] + 6;
        let flags = u16_at(&self.bytes, at) | NLM_F_ACK;
        self.bytes[at..at + 2].copy_from_slice(&flags.to_ne_bytes());
    }

    fn number(&mut self, first: u32) {
        for (index, start) in self.starts.iter().enumerate() {
            let sequence = first.wrapping_add(index as u32);
            self.bytes[start + 8..start + 12].copy_from_slice(&sequence.to_ne_bytes());
        }
    }
}

impl Socket {
    pub fn open(protocol: Protocol) -> Result<Self, Error> {
        let number = match protocol {
            // rustix's word for NETLINK_ROUTE, which is 0.
            Protocol::Route => None,
            Protocol::Netfilter => Some(net::netlink::NETFILTER),
            Protocol::SockDiag => Some(net::netlink::SOCK_DIAG),
        };
        let fd = net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            number,
        )?;
        set_option(fd.as_fd(), libc::NETLINK_CAP_ACK, 1)?;
        set_option(fd.as_fd(), libc::NETLINK_EXT_ACK, 1)?;
        Ok(Self { fd, protocol, next_sequence: 1, buffer: Vec::new() })
    }

    /// Receives the notifications of a multicast group, by [`Socket::notifications`]. Use a socket of its own.
    pub fn subscribe(&self, group: u32) -> Result<(), Error> {
        // A socket without an address of its own (0) would be taken for the kernel, the sender, and left out.
        net::bind(&self.fd, &SocketAddrNetlink::new(0, 0))?;
        Ok(set_option(self.fd.as_fd(), libc::NETLINK_ADD_MEMBERSHIP, group as libc::c_int)?)
    }

    /// Sends the batch and collects what the kernel answers besides acknowledgements.
    ///
    /// On a Route socket the messages after one that failed were still carried out; on a Netfilter socket none was.
    pub fn transact(&mut self, mut batch: Batch) -> Result<Vec<Message>, Error> {
        let Some(last) = batch.starts.len().checked_sub(match self.protocol {
            Protocol::Route | Protocol::SockDiag => 1,
            // The end of a transaction is not acknowledged by every kernel; the message before it is.
            Protocol::Netfilter => 2,
        }) else {
            return Ok(Vec::new());
        };
        let first = self.next_sequence;
        self.next_sequence = first.wrapping_add(batch.starts.len() as u32);
        batch.acknowledge(last);
        batch.number(first);
        self.make_room(batch.bytes.len())?;
        net::send(&self.fd, &batch.bytes, SendFlags::empty())?;
        self.collect(first, last)
    }

    /// Asks one question and returns the answers.
    pub fn ask(&mut self, kind: u16, payload: &[u8]) -> Result<Vec<Message>, Error> {
        let mut batch = Batch::default();
        batch.push(kind, NLM_F_ACK, |bytes| bytes.extend_from_slice(payload));
        let first = self.next_sequence;
        self.next_sequence = first.wrapping_add(1);
        batch.number(first);
        net::send(&self.fd, &batch.bytes, SendFlags::empty())?;
        self.collect(first, 0)
    }

    /// Asks for all objects of a kind. Begins again when they changed underway.
    pub fn dump(&mut self, kind: u16, payload: &[u8]) -> Result<Vec<Message>, Error> {
        loop {
            let mut batch = Batch::default();
            batch.push(kind, NLM_F_DUMP, |bytes| bytes.extend_from_slice(payload));
            let first = self.next_sequence;
            self.next_sequence = first.wrapping_add(1);
            batch.number(first);
            net::send(&self.fd, &batch.bytes, SendFlags::empty())?;
            match self.collect(first, 0) {
                Err(error) if error.errno == Errno::INTR => continue,
                result => return result,
            }
        }
    }

    /// Waits for notifications of the groups subscribed to and returns one datagram of them.
    pub fn notifications(&mut self) -> Result<Vec<Message>, Error> {
        let len = self.receive(RecvFlags::empty())?;
        Ok(Frames(&self.buffer[..len]).map(|frame| frame.message()).collect())
    }

    /// Reads answers until the one to message `last`. Sequence numbers before `first` are answers to an
    /// earlier batch, left over when that one ended early.
    fn collect(&mut self, first: u32, last: usize) -> Result<Vec<Message>, Error> {
        let (mut messages, mut failure, mut interrupted) = (Vec::new(), None, false);
        loop {
            let len = self.receive(RecvFlags::DONTWAIT)?;
            for frame in Frames(&self.buffer[..len]) {
                let position = frame.sequence.wrapping_sub(first) as usize;
                if position > last + 1 {
                    continue;
                }
                interrupted |= frame.flags & NLM_F_DUMP_INTR != 0;
                let done = match frame.kind {
                    NLMSG_DONE => true,
                    NLMSG_ERROR => {
                        let error = frame.error(position);
                        // A transaction refused as a whole is answered at its first message only.
                        let whole = self.protocol == Protocol::Netfilter && position == 0;
                        let done = position == last || whole && error.is_some();
                        failure = failure.or(error);
                        done
                    }
                    _ => {
                        messages.push(frame.message());
                        false
                    }
                };
                if done {
                    return match failure {
                        Some(error) => Err(error),
                        None if interrupted => Err(Errno::INTR.into()),
                        None => Ok(messages),
                    };
                }
            }
        }
    }

    /// A batch is one message to the socket, which must be able to hold it.
    fn make_room(&self, len: usize) -> Result<(), Errno> {
        const DEFAULT: usize = 128 * 1024;
        if len <= DEFAULT {
            return Ok(());
        }
        let len = libc::c_int::try_from(len).map_err(|_| Errno::MSGSIZE)?;
        set_option_of(self.fd.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, len)
    }

    fn receive(&mut self, flags: RecvFlags) -> Result<usize, Errno> {
        self.buffer.resize(RECEIVE_LEN, 0);
        let (len, full_len) =
            net::recv(&self.fd, self.buffer.as_mut_slice(), flags | RecvFlags::TRUNC)?;
        if full_len > len { Err(Errno::MSGSIZE) } else { Ok(len) }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// One message within a datagram.
struct Frame<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Frame<'_> {
    fn message(&self) -> Message {
        Message { kind: self.kind, payload: self.payload.to_vec() }
    }

    /// What an error message says; none if it is the acknowledgement of success.
    fn error(&self, position: usize) -> Option<Error> {
        let code =
            self.payload.first_chunk().map_or(-libc::EPROTO, |bytes| i32::from_ne_bytes(*bytes));
        (code != 0).then(|| Error {
            message: position,
            errno: Errno::from_raw_os_error(-code),
            explanation: self.explanation(),
        })
    }

    /// The text attribute behind the error code and the header of the request.
    fn explanation(&self) -> Option<String> {
        if self.flags & NLM_F_ACK_TLVS == 0 || self.flags & NLM_F_CAPPED == 0 {
            return None;
        }
        let mut rest = self.payload.get(4 + HEADER_LEN..)?;
        while rest.len() >= 4 {
            let len = usize::from(u16_at(rest, 0));
            let value = rest.get(4..len)?;
            if u16_at(rest, 2) == NLMSGERR_ATTR_MSG {
                let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
                return Some(String::from_utf8_lossy(text).into_owned());
            }
            rest = rest.get(len.next_multiple_of(4)..)?;
        }
        None
    }
}

/// The messages of one datagram.
struct Frames<'a>(&'a [u8]);

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let bytes = self.0;
        if bytes.len() < HEADER_LEN {
            return None;
        }
        let len = u32_at(bytes, 0) as usize;
        let payload = bytes.get(HEADER_LEN..len)?;
        self.0 = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Frame {
            kind: u16_at(bytes, 4),
            flags: u16_at(bytes, 6),
            sequence: u32_at(bytes, 8),
            payload,
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn set_option(fd: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> Result<(), Errno> {
    set_option_of(fd, libc::SOL_NETLINK, option, value)
}

fn set_option_of(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<(), Errno> {
    // SAFETY: the pointer and the length describe `value`, a live int, which the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTM_GETLINK: u16 = libc::RTM_GETLINK;
    const RTM_NEWLINK: u16 = libc::RTM_NEWLINK;
    const RTM_DELLINK: u16 = libc::RTM_DELLINK;

    /// struct ifinfomsg with an interface index.
    fn link(index: u32) -> Vec<u8> {
        let mut bytes = vec![0; 16];
        bytes[4..8].copy_from_slice(&index.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_batch_is_answered_in_order() {
        let mut socket = Socket::open(Protocol::Route).expect("open");
        let mut batch = Batch::default();
        batch.push(RTM_GETLINK, 0, |bytes| bytes.extend(link(1)));
        batch.push(RTM_GETLINK, 0, |bytes| bytes.extend(link(1)));
        let messages = socket.transact(batch).expect("transact");
        assert_eq!(
            messages.iter().map(|message| message.kind).collect::<Vec<_>>(),
            [RTM_NEWLINK, RTM_NEWLINK]
        );
    }

    #[test]
    fn the_first_failure_is_named_and_the_rest_is_carried_out() {
        let mut socket = Socket::open(Protocol::Route).expect("open");
        let mut batch = Batch::default();
        batch.push(RTM_GETLINK, 0, |bytes| bytes.extend(link(1)));
        batch.push(RTM_DELLINK, 0, |bytes| bytes.extend(link(0x7fff_fff0)));
        batch.push(RTM_GETLINK, 0, |bytes| bytes.extend(link(1)));
        let error = socket.transact(batch).expect_err("no such link");
        assert_eq!((error.message, error.errno), (1, Errno::NODEV));
        assert!(
            socket.dump(RTM_GETLINK, &link(0)).is_ok(),
            "the socket is in step after a failure"
        );
    }

    #[test]
    fn the_kernels_explanation_is_passed_on() {
        let mut socket = Socket::open(Protocol::Route).expect("open");
        let mut batch = Batch::default();
        // struct ifinfomsg cut short.
        batch.push(RTM_GETLINK, 0, |bytes| bytes.extend([0; 4]));
        let error = socket.transact(batch).expect_err("malformed");
        assert_eq!(error.errno, Errno::INVAL);
        assert!(error.explanation.is_some_and(|text| !text.is_empty()));
    }

    #[test]
    fn a_dump_ends() {
        let mut socket = Socket::open(Protocol::Route).expect("open");
        let links = socket.dump(RTM_GETLINK, &link(0)).expect("dump");
        assert!(!links.is_empty() && links.iter().all(|message| message.kind == RTM_NEWLINK));
    }

    #[test]
    fn an_empty_batch_asks_nothing() {
        let mut socket = Socket::open(Protocol::Route).expect("open");
        assert!(socket.transact(Batch::default()).expect("nothing to do").is_empty());
    }
}
