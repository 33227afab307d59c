//! Messages on the wire: from bytes to a question, and from what it means back to bytes. Pure; the bytes are anybody's.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use super::table::{Kind, Meaning, Question};

/// No query needs to be longer: a name, and an option or two.
pub const MAX_QUERY: usize = 4096;
/// What fits without being asked for (RFC 1035), and what we say that we take (RFC 9715).
const PLAIN_PAYLOAD: u16 = 512;
const OUR_PAYLOAD: u16 = 1232;
/// As Docker's, in seconds.
const TTL: u32 = 600;
/// Of a message's header.
pub const HEADER: usize = 12;

/// How the question came, and so how long an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

pub struct Query {
    message: Message,
    transport: Transport,
}

pub enum Received {
    Query(Query),
    /// No query that could be answered; with what is said to that.
    Refused(Vec<u8>),
    /// Answers and scraps: who answers those answers for ever.
    Ignored,
}

impl Query {
    pub fn parse(bytes: &[u8], transport: Transport) -> Received {
        let Some(head) = Head::read(bytes).filter(|head| !head.is_answer()) else {
            return Received::Ignored;
        };
        match Message::from_vec(bytes) {
            Ok(message) if message.metadata.op_code != OpCode::Query => {
                Received::Refused(head.refusal(ResponseCode::NotImp))
            }
            Ok(message) if message.queries.len() == 1 => {
                Received::Query(Self { message, transport })
            }
            Ok(_) | Err(_) => Received::Refused(head.refusal(ResponseCode::FormErr)),
        }
    }

    pub fn question(&self) -> Question {
        let Some(query) = self.message.queries.first() else { return Question::Foreign };
        let kind = match query.query_type {
            RecordType::PTR => {
                return match address(&query.name) {
                    Some(ip) => Question::Address(ip),
                    None => Question::Foreign,
                };
            }
            RecordType::A => Kind::Ipv4,
            RecordType::AAAA => Kind::Ipv6,
            _ => Kind::Other,
        };
        text(&query.name).map_or(Question::Foreign, |name| Question::Name(name, kind))
    }

    /// None where it is to be asked elsewhere.
    pub fn answer(&self, meaning: &Meaning) -> Option<Vec<u8>> {
        let code = match meaning {
            Meaning::Elsewhere => return None,
            Meaning::Unanswerable => ResponseCode::ServFail,
            Meaning::Addresses(_) | Meaning::Pointer(_) | Meaning::Nothing => ResponseCode::NoError,
        };
        let data = match meaning {
            Meaning::Addresses(addresses) => addresses.iter().copied().map(address_data).collect(),
            Meaning::Pointer(name) => {
                labels(name).map(|name| RData::PTR(PTR(name))).into_iter().collect()
            }
            _ => Vec::new(),
        };
        Some(self.reply(code, data))
    }

    pub fn failure(&self) -> Vec<u8> {
        self.reply(ResponseCode::ServFail, Vec::new())
    }

    /// An answer that is longer than the asker takes: it shall come again by TCP.
    pub fn cut(&self) -> Vec<u8> {
        let mut reply = self.head(ResponseCode::NoError);
        reply.metadata.truncation = true;
        encode(&reply, self.limit())
    }

    /// As many bytes as the asker takes.
    pub fn limit(&self) -> u16 {
        match self.transport {
            Transport::Tcp => u16::MAX,
            Transport::Udp => {
                let asked = self.message.edns.as_ref().map_or(PLAIN_PAYLOAD, Edns::max_payload);
                asked.clamp(PLAIN_PAYLOAD, MAX_QUERY as u16)
            }
        }
    }

    fn reply(&self, code: ResponseCode, data: Vec<RData>) -> Vec<u8> {
        let mut reply = self.head(code);
        if let Some(query) = self.message.queries.first() {
            let record = |data| Record::from_rdata(query.name.clone(), TTL, data);
            reply.add_answers(data.into_iter().map(record));
        }
        encode(&reply, self.limit())
    }

    fn head(&self, code: ResponseCode) -> Message {
        let mut reply = Message::response(self.message.metadata.id, OpCode::Query);
        reply.metadata = Metadata::response_from_request(&self.message.metadata);
        reply.metadata.recursion_available = true;
        reply.metadata.response_code = code;
        reply.add_queries(self.message.queries.iter().cloned());
        if self.message.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(OUR_PAYLOAD);
            reply.set_edns(edns);
        }
        reply
    }
}

/// The beginning of any message, also of one that does not read.
#[derive(Clone, Copy)]
struct Head {
    id: [u8; 2],
    flags: [u8; 2],
}

impl Head {
    const ANSWER: u8 = 0x80;
    const OP_CODE: u8 = 0x78;
    const RECURSION_DESIRED: u8 = 1;

    fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d, ..] = *bytes.get(..HEADER)? else { return None };
        Some(Self { id: [a, b], flags: [c, d] })
    }

    fn is_answer(self) -> bool {
        self.flags[0] & Self::ANSWER != 0
    }

    fn refusal(self, code: ResponseCode) -> Vec<u8> {
        let kept = self.flags[0] & (Self::OP_CODE | Self::RECURSION_DESIRED);
        let mut bytes = vec![self.id[0], self.id[1], Self::ANSWER | kept, code.low()];
        bytes.resize(HEADER, 0);
        bytes
    }
}

/// Whether the bytes are the answer to the query with that id: of the same question, whatever the case of its letters.
pub fn is_answer(answer: &[u8], query: &[u8], id: [u8; 2]) -> bool {
    let Some(head) = Head::read(answer) else { return false };
    let (asked, answered) = (question_bytes(query), question_bytes(answer));
    let same = match (asked, answered) {
        (Some(asked), Some(answered)) => asked.eq_ignore_ascii_case(answered),
        // Some servers leave the question out of what they refuse.
        (Some(_), None) => answer.get(4..6) == Some(&[0, 0]) && is_failure(answer),
        _ => false,
    };
    head.is_answer() && head.id == id && same
}

/// SERVFAIL, REFUSED and the like: another server may know better. That a name does not exist is an answer.
pub fn is_failure(answer: &[u8]) -> bool {
    const NO_ERROR: u8 = 0;
    const NO_SUCH_NAME: u8 = 3;
    answer.get(3).is_none_or(|flags| !matches!(flags & 0x0f, NO_ERROR | NO_SUCH_NAME))
}

/// The one question of a message, as it stands there. It is the first thing in it, so nothing could be compressed.
fn question_bytes(message: &[u8]) -> Option<&[u8]> {
    const LONGEST_LABEL: u8 = 63;
    if message.get(4..6)? != [0, 1] {
        return None;
    }
    let mut end = HEADER;
    loop {
        match *message.get(end)? {
            0 => break,
            length if length <= LONGEST_LABEL => end += 1 + usize::from(length),
            _ => return None,
        }
    }
    message.get(HEADER..end + 5)
}

/// In lower case. None for what cannot be a container's name, such as labels with dots in them.
fn text(name: &Name) -> Option<String> {
    let mut text = String::new();
    for label in name.iter() {
        let label = std::str::from_utf8(label).ok().filter(|label| !label.contains('.'))?;
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&label.to_lowercase());
    }
    Some(text)
}

fn labels(name: &str) -> Option<Name> {
    let mut name = Name::from_labels(name.split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The whole address that a name below `in-addr.arpa` or `ip6.arpa` stands for.
fn address(name: &Name) -> Option<IpAddr> {
    let net = name.parse_arpa_name().ok()?;
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}

fn address_data(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}

/// What does not fit is left out, and the answer marked as cut.
fn encode(message: &Message, limit: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(usize::from(PLAIN_PAYLOAD));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(limit);
    match message.emit(&mut encoder) {
        Ok(()) => bytes,
        Err(error) => {
            tracing::warn!("an answer cannot be written: {error}");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::MessageType;

    use super::*;

    fn query(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        let name = Name::from_ascii(name).unwrap();
        message.add_query(hickory_proto::op::Query::query(name, kind));
        message.to_vec().unwrap()
    }

    fn parsed(bytes: &[u8]) -> Query {
        match Query::parse(bytes, Transport::Udp) {
            Received::Query(query) => query,
            Received::Refused(why) => panic!("refused: {why:?}"),
            Received::Ignored => panic!("ignored"),
        }
    }

    /// The bytes that Docker's server sends to the same.
    const FORM_ERROR: [u8; 12] = [0x12, 0x34, 0x81, 0x01, 0, 0, 0, 0, 0, 0, 0, 0];

    #[track_caller]
    fn refused(rest: &[u8]) {
        let bytes = [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], rest].concat();
        match Query::parse(&bytes, Transport::Udp) {
            Received::Refused(answer) => assert_eq!(answer, FORM_ERROR),
            Received::Query(query) => panic!("{:?}", query.question()),
            Received::Ignored => panic!("ignored"),
        }
    }

    #[test]
    fn questions_are_read_for_what_they_ask() {
        let ask = |name, kind| parsed(&query(name, kind)).question();
        let name = |text: &str, kind| Question::Name(text.into(), kind);
        assert_eq!(ask("Web_1.", RecordType::A), name("web_1", Kind::Ipv4));
        assert_eq!(ask("a.b.", RecordType::AAAA), name("a.b", Kind::Ipv6));
        assert_eq!(ask("a.", RecordType::SRV), name("a", Kind::Other));
        let ptr = |name| ask(name, RecordType::PTR);
        let loopback = "1.0.0.0.".to_owned() + &"0.".repeat(28) + "ip6.arpa.";
        assert_eq!(ptr("2.0.18.172.in-addr.arpa."), Question::Address([172, 18, 0, 2].into()));
        assert_eq!(ptr(&loopback), Question::Address(IpAddr::V6(1.into())));
        assert_eq!(ptr("18.172.in-addr.arpa."), Question::Foreign);
        assert_eq!(ptr("web."), Question::Foreign);
    }

    #[test]
    fn a_label_with_a_dot_is_not_two_labels() {
        let bytes =
            [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x05web.a\x00\x00\x01\x00\x01"];
        assert_eq!(parsed(&bytes.concat()).question(), Question::Foreign);
    }

    #[test]
    fn an_address_is_answered_as_docker_does() {
        let query = parsed(&query("dns-c1.", RecordType::A));
        let answer = query.answer(&Meaning::Addresses(vec![[172, 18, 0, 2].into()])).unwrap();
        // Docker repeats the name where this one points back to it.
        let expected =
            b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x06dns-c1\x00\x00\x01\x00\x01\
            \xc0\x0c\x00\x01\x00\x01\x00\x00\x02\x58\x00\x04\xac\x12\x00\x02";
        assert_eq!(answer, expected);
    }

    #[test]
    fn nothing_is_an_answer_and_no_way_out_a_failure() {
        let asked = query("dns-c1.", RecordType::AAAA);
        let head = |flags: &[u8; 2]| [&asked[..2], flags, &asked[4..]].concat();
        assert_eq!(parsed(&asked).answer(&Meaning::Nothing).unwrap(), head(b"\x81\x80"));
        assert_eq!(parsed(&asked).answer(&Meaning::Unanswerable).unwrap(), head(b"\x81\x82"));
        assert_eq!(parsed(&asked).answer(&Meaning::Elsewhere), None);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        let bytes = query("pool.", RecordType::A);
        let many = Meaning::Addresses((0..200u8).map(|n| [10, 0, 0, n].into()).collect());
        let cut = parsed(&bytes).answer(&many).unwrap();
        assert!(cut.len() <= 512 && cut[2] & 2 != 0, "{} bytes", cut.len());
        let Received::Query(by_tcp) = Query::parse(&bytes, Transport::Tcp) else { panic!() };
        let whole = Message::from_vec(&by_tcp.answer(&many).unwrap()).unwrap();
        assert!(!whole.metadata.truncation && whole.answers.len() == 200);
    }

    #[test]
    fn a_larger_payload_is_used_and_answered_in_kind() {
        let mut message = Message::from_vec(&query("pool.", RecordType::A)).unwrap();
        let mut edns = Edns::new();
        edns.set_max_payload(u16::MAX);
        message.set_edns(edns);
        let query = parsed(&message.to_vec().unwrap());
        assert_eq!(query.limit(), 4096);
        let many = Meaning::Addresses((0..200u8).map(|n| [10, 0, 0, n].into()).collect());
        let answer = Message::from_vec(&query.answer(&many).unwrap()).unwrap();
        assert_eq!((answer.answers.len(), answer.edns.unwrap().max_payload()), (200, 1232));
    }

    #[test]
    fn dns_packets_that_are_cut_off_are_refused_at_every_length() {
        let whole = query("a.long-name.example.org.", RecordType::A);
        for length in 0..whole.len() {
            match Query::parse(&whole[..length], Transport::Udp) {
                Received::Ignored => assert!(length < HEADER, "{length}"),
                Received::Refused(answer) => assert_eq!(answer, FORM_ERROR),
                Received::Query(_) => panic!("{length} bytes"),
            }
        }
    }

    #[test]
    fn dns_names_that_point_to_themselves_are_refused() {
        refused(b"\xc0\x0c\x00\x01\x00\x01");
        refused(b"\x01a\xc0\x0c\x00\x01\x00\x01");
        refused(b"\xc0\x0e\xc0\x0c\x00\x01\x00\x01");
        refused(b"\xff\xff\x00\x01\x00\x01");
        refused(b"\x40a\x00\x00\x01\x00\x01");
    }

    #[test]
    fn dns_names_without_end_are_refused() {
        refused(
            &[
                b"\x3fabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk".repeat(60),
                vec![0, 0, 1, 0, 1],
            ]
            .concat(),
        );
        refused(&b"\x01a".repeat(2000));
    }

    #[test]
    fn dns_counts_that_lie_are_refused() {
        let mut bytes = query("a.", RecordType::A);
        for (at, count) in
            [(4, [0, 0]), (4, [0, 2]), (4, [255, 255]), (6, [255, 255]), (10, [255, 255])]
        {
            let kept: [u8; 2] = bytes[at..at + 2].try_into().unwrap();
            bytes[at..at + 2].copy_from_slice(&count);
            assert!(matches!(Query::parse(&bytes, Transport::Udp), Received::Refused(_)), "{at}");
            bytes[at..at + 2].copy_from_slice(&kept);
        }
    }

    #[test]
    fn dns_answers_are_not_answered() {
        let mut bytes = query("a.", RecordType::A);
        bytes[2] |= 0x80;
        assert!(matches!(Query::parse(&bytes, Transport::Udp), Received::Ignored));
    }

    #[test]
    fn other_operations_are_not_done() {
        let mut bytes = query("a.", RecordType::A);
        bytes[2] |= 5 << 3;
        let Received::Refused(answer) = Query::parse(&bytes, Transport::Udp) else { panic!() };
        assert_eq!(answer[2..4], [0x80 | 5 << 3 | 1, 4]);
    }

    #[test]
    fn only_the_answer_to_the_question_is_one() {
        let asked = query("web.example.", RecordType::A);
        let id = [0x12, 0x34];
        let mut answer = asked.clone();
        answer[2] |= 0x80;
        assert!(is_answer(&answer, &asked, id));
        answer[13] = b'W';
        assert!(is_answer(&answer, &asked, id), "case does not count");
        assert!(!is_answer(&answer, &asked, [0, 0]));
        assert!(!is_answer(&asked, &asked, id), "a query is no answer");
        let mut other = query("evil.example.", RecordType::A);
        other[2] |= 0x80;
        assert!(!is_answer(&other, &asked, id));
        for length in 0..answer.len() {
            assert!(!is_answer(&answer[..length], &asked, id), "{length}");
        }
        let refused = [0x12, 0x34, 0x81, 5, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(is_answer(&refused, &asked, id) && is_failure(&refused));
    }
}
