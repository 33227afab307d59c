//! A client that keeps its files, and answers for them on streams of one connection: `POST /build/session`.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::build::{Ask, BuildOptions, BuildResult, Failure, News, Selection};
use builder::context::{Listing, wire};
use bytes::Bytes;
use mux::{Accepted, Connection, Sender, Side, Stream};
use oci::Digest;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::OnceCell;

use super::contents::{Contents, Source};
use super::output::Output;
use super::told::{self, Teller, Told};
use crate::error::{Error, Kind, Result, blocking};

/// Options, with a Dockerfile of 16 MiB and contexts.
const LARGEST_OPTIONS: usize = 32 << 20;
/// Of a list: a million files with long names.
const LARGEST_LISTING: usize = 512 << 20;
/// As BuildKit bounds them.
const LARGEST_SECRET: usize = 500 << 10;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes on their way to an agent.
const AGENT_BUFFER: usize = 64 << 10;

pub struct Session {
    connection: Arc<Connection>,
    listings: Mutex<HashMap<Selection, Arc<OnceCell<Arc<Listing>>>>>,
    pub(super) teller: Teller,
}

/// The client's end of a session's build: what it is told, and what came of it.
pub struct Answer {
    connection: Arc<Connection>,
    sender: Sender,
    told: Told,
}

impl Session {
    /// What a client wants that has just connected.
    pub async fn accept(
        io: impl AsyncRead + AsyncWrite + Send + 'static,
    ) -> Result<(Self, BuildOptions, Answer)> {
        let (reader, writer) = tokio::io::split(io);
        let (connection, mut accepted) = Connection::start(reader, writer, Side::Engine);
        let first = async {
            let Accepted { stream, .. } = accepted.recv().await.ok_or_else(gone)?;
            let options = stream.receiver.collect(LARGEST_OPTIONS).await.map_err(lost)?;
            Ok::<_, Error>((options, stream.sender))
        };
        let first = tokio::time::timeout(PATIENCE, first).await;
        let (options, sender) =
            first.map_err(|_| Error::new(Kind::Timeout, "no build was asked for"))??;
        let connection = Arc::new(connection);
        let (teller, told) = told::channel();
        let answer = Answer { connection: Arc::clone(&connection), sender, told };
        let options = match serde_json::from_slice(&options) {
            Ok(options) => options,
            Err(error) => {
                let invalid = Error::invalid("invalid options of a build").because(error);
                answer.finish(Err(failure(&invalid))).await;
                return Err(invalid);
            }
        };
        let session = Self { connection, listings: Mutex::default(), teller };
        Ok((session, options, answer))
    }

    pub(super) async fn listing(&self, wanted: &Selection) -> Result<Arc<Listing>> {
        let cell = {
            let mut listings =
                self.listings.lock().expect("no code panics while it holds this lock");
            Arc::clone(listings.entry(wanted.clone()).or_default())
        };
        cell.get_or_try_init(|| self.list(wanted)).await.cloned()
    }

    async fn list(&self, wanted: &Selection) -> Result<Arc<Listing>> {
        let Stream { sender, receiver } = self.ask(&Ask::Listing(wanted.clone()))?;
        sender.finish();
        let bytes = receiver.collect(LARGEST_LISTING).await.map_err(lost)?;
        let invalid = |error| Error::invalid("the client's list of files").because(error);
        blocking(move || wire::decode(&bytes).map(Arc::new).map_err(invalid)).await
    }

    pub(super) fn contents(&self, of: &Selection, wanted: Vec<usize>) -> Result<Contents> {
        let listing = {
            let listings = self.listings.lock().expect("no code panics while it holds this lock");
            listings.get(of).and_then(|cell| cell.get().cloned())
        };
        let listing = listing.ok_or_else(|| Error::system("a context was not listed yet"))?;
        let Stream { sender, receiver } = self.ask(&Ask::Contents(of.clone()))?;
        sender.send_blocking(wire::encode_places(&wanted)).map_err(lost)?;
        sender.finish();
        Contents::new(Source::Stream(receiver.into_reader()), listing, wanted)
    }

    pub(super) async fn secret(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let Stream { sender, receiver } = self.ask(&Ask::Secret { id: id.to_owned() })?;
        sender.finish();
        let too_large = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => Error::invalid(format!(
                "invalid secret size: {id} is larger than {LARGEST_SECRET} bytes"
            )),
            _ => lost(error),
        };
        let answer = receiver.collect(LARGEST_SECRET + 1).await.map_err(too_large)?;
        match answer.split_first() {
            Some((1, secret)) => Ok(Some(secret.to_vec())),
            Some((0, [])) => Ok(None),
            _ => Err(Error::invalid("the client's answer about a secret is not understood")),
        }
    }

    pub(super) async fn agent(&self, id: &str) -> Result<DuplexStream> {
        let mut stream = self.ask(&Ask::Agent { id: id.to_owned() })?;
        let first = stream.receiver.recv().await.map_err(lost)?;
        if first.as_deref() != Some(&[1]) {
            return Err(Error::invalid("the client's answer about an SSH agent is not understood"));
        }
        let (ours, theirs) = tokio::io::duplex(AGENT_BUFFER);
        tokio::spawn(pump(stream, ours));
        Ok(theirs)
    }

    pub(super) fn output(&self, index: usize) -> Result<Output> {
        self.ask(&Ask::Output { index }).map(Output::new)
    }

    pub(super) fn cache_read(
        &self,
        index: usize,
        of_target: bool,
        digest: Option<&Digest>,
    ) -> Result<Option<mux::Reader>> {
        let digest = digest.map(Digest::to_string);
        let Stream { sender, receiver } = self.ask(&Ask::CacheRead { index, of_target, digest })?;
        sender.finish();
        let mut reader = receiver.into_reader();
        let mut first = [0];
        io::Read::read_exact(&mut reader, &mut first).map_err(lost)?;
        Ok((first == [1]).then_some(reader))
    }

    pub(super) fn cache_write(
        &self,
        index: usize,
        digest: Option<&Digest>,
    ) -> Result<Option<Output>> {
        let digest = digest.map(Digest::to_string);
        let mut stream = self.ask(&Ask::CacheWrite { index, digest })?;
        let first = stream.receiver.recv_blocking().map_err(lost)?;
        match first.as_deref() {
            Some([0]) => Ok(Some(Output::new(stream))),
            Some([1]) => Ok(None),
            _ => Err(Error::invalid("the client's answer about a cache is not understood")),
        }
    }

    pub(super) async fn gone(&self) {
        self.connection.closed().await;
    }

    fn ask(&self, ask: &Ask) -> Result<Stream> {
        let request = serde_json::to_vec(ask).expect("wire types serialise");
        if request.len() > mux::MAX_PAYLOAD {
            return Err(Error::invalid("a name that the client is asked for is too long"));
        }
        self.connection.open(request).map_err(lost)
    }
}

impl Answer {
    /// Passes on what is told until `build` has ended, and then what came of it. A build whose client has gone ends itself:
    /// it has things to put away.
    pub async fn follow(self, build: impl Future<Output = Result<BuildResult, Failure>>) {
        let passing = async {
            while let Some(status) = self.told.next().await {
                if send(&self.sender, &News::Status(status)).await.is_err() {
                    break;
                }
            }
            std::future::pending().await
        };
        let result = tokio::select! {
            result = build => result,
            result = passing => result,
        };
        self.finish(result).await;
    }

    async fn finish(self, result: Result<BuildResult, Failure>) {
        let Self { connection, sender, told } = self;
        let last = async {
            if let Some(status) = told.take() {
                send(&sender, &News::Status(status)).await?;
            }
            send(&sender, &result.map_or_else(News::Failed, News::Result)).await
        };
        if last.await.is_ok() {
            sender.finish();
            connection.finish().await;
        }
    }
}

async fn send(sender: &Sender, news: &News) -> io::Result<()> {
    let mut line = serde_json::to_vec(news).expect("wire types serialise");
    line.push(b'\n');
    sender.send(line).await
}

/// Both ways, until one end is done with it.
async fn pump(stream: Stream, agent: DuplexStream) {
    let Stream { sender, mut receiver } = stream;
    let (mut reader, mut writer) = tokio::io::split(agent);
    let to_client = async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            if sender.send(Bytes::copy_from_slice(&buffer[..count])).await.is_err() {
                return;
            }
        }
        sender.finish();
    };
    let from_client = async move {
        while let Ok(Some(bytes)) = receiver.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // Whoever used it has gone.
        let _ = writer.shutdown().await;
    };
    tokio::join!(to_client, from_client);
}

/// What a build's error is to its client: the solver's own account where it gave one.
pub fn failure(error: &Error) -> Failure {
    let known = error.source.as_deref().and_then(|cause| cause.downcast_ref::<Failure>());
    let plain = || Failure { message: error.to_string(), ..Failure::default() };
    known.cloned().unwrap_or_else(plain)
}

fn lost(error: io::Error) -> Error {
    Error::invalid("the build's client").because(error)
}

fn gone() -> Error {
    Error::invalid("the build's client went away")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use builder::context::{Entry, Kind as FileKind};
    use sha2::{Digest as _, Sha256};
    use tokio::sync::mpsc;

    use super::*;

    type Asked = mpsc::Receiver<Accepted>;

    /// A session, and the client's end of it once it has asked for a build.
    async fn pair() -> (Session, Answer, Connection, Asked, mux::Receiver) {
        let (client, engine) = tokio::io::duplex(64 << 10);
        let (reader, writer) = tokio::io::split(client);
        let (connection, asked) = Connection::start(reader, writer, Side::Client);
        let stream = connection.open("").unwrap();
        stream.sender.send(r#"{"target":"here"}"#).await.unwrap();
        let Stream { sender, receiver } = stream;
        sender.finish();
        let (session, options, answer) = Session::accept(engine).await.unwrap();
        assert_eq!(options.target, "here");
        (session, answer, connection, asked, receiver)
    }

    fn listing(files: &[(&str, &[u8], u64)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = wire::Encoder::begin(false, &mut out);
        for (path, content, size) in files {
            let digest = Some(Digest::from_sha256(Sha256::digest(content).into()));
            let kind = FileKind::File { size: *size, digest };
            let (mode, uid, gid, modified) = (0o644, 0, 0, 0);
            let (path, xattrs) = (path.into(), Vec::new());
            encoder.entry(&Entry { path, kind, mode, uid, gid, modified, xattrs }, &mut out);
        }
        encoder.finish(&mut out);
        out
    }

    /// Answers each question with bytes, in turn, and says what was asked.
    async fn answer(mut asked: Asked, answers: Vec<Vec<u8>>) -> Vec<(Ask, Vec<u8>)> {
        let mut questions = Vec::new();
        for bytes in answers {
            let Accepted { request, stream } = asked.recv().await.unwrap();
            let more = stream.receiver.collect(1 << 20).await.unwrap();
            questions.push((serde_json::from_slice(&request).unwrap(), more));
            stream.sender.send(bytes).await.unwrap();
            stream.sender.finish();
        }
        questions
    }

    fn wanted_of(source: &str) -> Selection {
        Selection { context: "context".to_owned(), sources: vec![source.to_owned()] }
    }

    fn read_all(session: &Session, wanted: Vec<usize>) -> io::Result<Vec<(usize, Vec<u8>)>> {
        let mut contents = session.contents(&wanted_of("src"), wanted).map_err(io::Error::other)?;
        let mut files = Vec::new();
        while let Some((place, mut content)) = contents.next()? {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            files.push((place, bytes));
        }
        Ok(files)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_come_in_the_order_they_are_asked_for_and_a_list_once() {
        let (session, _answer, _connection, asked, _receiver) = pair().await;
        let list = listing(&[("a", b"one", 3), ("b", b"", 0), ("c", b"three", 5)]);
        let answering = tokio::spawn(answer(asked, vec![list, b"threeone".to_vec()]));
        assert_eq!(session.listing(&wanted_of("src")).await.unwrap().entries.len(), 3);
        session.listing(&wanted_of("src")).await.unwrap();
        let read = tokio::task::spawn_blocking(move || read_all(&session, vec![2, 1, 0]));
        let files = read.await.unwrap().unwrap();
        assert_eq!(files, [(2, b"three".to_vec()), (1, Vec::new()), (0, b"one".to_vec())]);
        let expected = [
            (Ask::Listing(wanted_of("src")), Vec::new()),
            (Ask::Contents(wanted_of("src")), wire::encode_places(&[2, 1, 0])),
        ];
        assert_eq!(answering.await.unwrap(), expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_lies_about_its_files_is_found_out() {
        for (size, sent, said) in [
            (3, &b"two"[..], "a: file changed while it was read"),
            (3, b"on", "a: file changed while it was read"),
            (u64::MAX, b"one", "a: file changed while it was read"),
        ] {
            let (session, _answer, _connection, asked, _receiver) = pair().await;
            let list = listing(&[("a", b"one", size)]);
            tokio::spawn(answer(asked, vec![list, sent.to_vec()]));
            session.listing(&wanted_of("src")).await.unwrap();
            let read = tokio::task::spawn_blocking(move || read_all(&session, vec![0]));
            assert_eq!(read.await.unwrap().unwrap_err().to_string(), said);
        }
        let (session, _answer, _connection, asked, _receiver) = pair().await;
        tokio::spawn(answer(asked, vec![b"no list".to_vec()]));
        let said = session.listing(&wanted_of("src")).await.unwrap_err().to_string();
        assert!(said.starts_with("the client's list of files: invalid list of files: "), "{said}");
    }

    #[tokio::test]
    async fn secrets_are_there_or_not_and_never_endless() {
        let (session, _answer, _connection, asked, _receiver) = pair().await;
        let huge = [&[1][..], &vec![0; LARGEST_SECRET + 1]].concat();
        let answers = vec![b"\x01hidden".to_vec(), vec![0], vec![7], huge];
        tokio::spawn(answer(asked, answers));
        assert_eq!(session.secret("a").await.unwrap().as_deref(), Some(&b"hidden"[..]));
        assert_eq!(session.secret("b").await.unwrap(), None);
        assert!(session.secret("c").await.is_err());
        let said = session.secret("d").await.unwrap_err().to_string();
        assert_eq!(said, "invalid secret size: d is larger than 512000 bytes");
        let long = "x".repeat(mux::MAX_PAYLOAD);
        assert!(session.secret(&long).await.is_err());
    }

    #[tokio::test]
    async fn an_agents_bytes_go_both_ways() {
        let (session, _answer, _connection, mut asked, _receiver) = pair().await;
        tokio::spawn(async move {
            let Accepted { stream: Stream { sender, mut receiver }, .. } =
                asked.recv().await.unwrap();
            sender.send(&[1][..]).await.unwrap();
            while let Some(bytes) = receiver.recv().await.unwrap() {
                sender.send(bytes).await.unwrap();
            }
            sender.finish();
        });
        let mut agent = session.agent("default").await.unwrap();
        agent.write_all(b"who are you").await.unwrap();
        agent.shutdown().await.unwrap();
        let mut echoed = String::new();
        agent.read_to_string(&mut echoed).await.unwrap();
        assert_eq!(echoed, "who are you");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_output_is_finished_once_the_client_has_stored_it() {
        let (session, _answer, _connection, mut asked, _receiver) = pair().await;
        let session = Arc::new(session);
        let bytes = vec![7; 1 << 20];
        for is_stored in [true, false] {
            let (session, written) = (Arc::clone(&session), bytes.clone());
            let writing = tokio::task::spawn_blocking(move || {
                let mut output = session.output(3).map_err(io::Error::other)?;
                io::Write::write_all(&mut output, &written)?;
                output.finish()
            });
            let Accepted { request, stream } = asked.recv().await.unwrap();
            assert_eq!(&request[..], br#"{"output":{"index":3}}"#);
            let Stream { sender, receiver } = stream;
            assert_eq!(receiver.collect(2 << 20).await.unwrap(), bytes);
            if is_stored {
                sender.finish()
            } else {
                sender.fail("disk full")
            }
            let written = writing.await.unwrap().map_err(|error| error.to_string());
            assert_eq!(written, if is_stored { Ok(()) } else { Err("disk full".to_owned()) });
        }
    }

    #[tokio::test]
    async fn what_is_told_comes_before_what_came_of_it() {
        let (session, answer, connection, _asked, receiver) = pair().await;
        let mut told = api::build::Status::default();
        told.reasons.push(api::build::Reason { vertex: "v".into(), text: "why".into() });
        let build = async move {
            session.teller.tell(told);
            Err(Failure { message: "no".into(), code: 3, ..Failure::default() })
        };
        let following = tokio::spawn(answer.follow(build));
        let news = String::from_utf8(receiver.collect(1 << 20).await.unwrap()).unwrap();
        let expected = concat!(
            r#"{"status":{"reasons":[{"vertex":"v","text":"why"}]}}"#,
            "\n",
            r#"{"failed":{"message":"no","code":3,"vertex":""}}"#,
            "\n"
        );
        assert_eq!(news, expected);
        drop(connection);
        following.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_goes_away_is_gone_and_options_that_mean_nothing_are_refused() {
        let (session, _answer, connection, _asked, _receiver) = pair().await;
        drop(connection);
        session.gone().await;
        assert!(session.secret("a").await.is_err());
        let (client, engine) = tokio::io::duplex(4096);
        let (reader, writer) = tokio::io::split(client);
        let (connection, _asked) = Connection::start(reader, writer, Side::Client);
        let Stream { sender, receiver } = connection.open("").unwrap();
        sender.send(r#"{"nonsense":1}"#).await.unwrap();
        sender.finish();
        let accepting = tokio::spawn(async move { Session::accept(engine).await.err() });
        let news = String::from_utf8(receiver.collect(4096).await.unwrap()).unwrap();
        assert!(
            news.starts_with(r#"{"failed":{"message":"invalid options of a build: unknown field"#),
            "{news}"
        );
        drop(connection);
        assert!(accepting.await.unwrap().is_some());
    }
}
