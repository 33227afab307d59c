//! `/build`.

use std::io;

use api::Filters;
use api::build::{BuildOptions, CachePruneReport, News};
use api::progress::Message;
use bytes::{Buf, BytesMut};
use mux::{Accepted, Connection, Receiver, Side, Stream};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::body::{JsonLines, Upload};
use crate::error::{Error, Result};
use crate::hijack::Hijacked;
use crate::query::Query;
use crate::transport::Client;

/// What an upgraded connection speaks.
const PROTOCOL: &str = "gantry-build";
/// A line of news: a step's output of a second, a list of all steps.
const LONGEST_LINE: usize = 64 << 20;

/// A build that runs, and asks for what it needs (docs/design/0018-build-session.md).
#[derive(Debug)]
pub struct BuildSession {
    /// What the engine wants to know. Who drops a stream unanswered fails the build.
    pub asked: mpsc::Receiver<Accepted>,
    pub news: BuildNews,
    /// Dropped, it ends the build.
    pub connection: Connection,
}

/// What is told of a build.
#[derive(Debug)]
pub struct BuildNews {
    receiver: Receiver,
    buffer: BytesMut,
    /// Up to where the buffer holds no end of a line.
    searched: usize,
}

impl Client {
    /// Begins a build. None where the engine knows no sessions, as Docker's does not.
    pub async fn image_build(&self, options: &BuildOptions) -> Result<Option<BuildSession>> {
        let response = match self.upgraded("/build/session", Upload::empty(), PROTOCOL).await {
            Err(error) if error.is_not_found() => return Ok(None),
            result => result?,
        };
        let hijacked = Hijacked::new(hyper::upgrade::on(response).await?, false)?;
        let buffered = io::Cursor::new(hijacked.buffered.clone());
        let (reader, writer) = hijacked.split();
        let (connection, asked) =
            Connection::start(AsyncReadExt::chain(buffered, reader), writer, Side::Client);
        let Stream { sender, receiver } = connection.open("")?;
        let options = serde_json::to_vec(options)?;
        sender.send(options).await?;
        sender.finish();
        let news = BuildNews { receiver, buffer: BytesMut::new(), searched: 0 };
        Ok(Some(BuildSession { asked, news, connection }))
    }

    /// Builds what is in a tar, and returns what the engine tells of it. What the classic request does not know of the
    /// options is left out.
    pub async fn image_build_tar(
        &self,
        options: &BuildOptions,
        quiet: bool,
        tar: Upload,
    ) -> Result<JsonLines<Message>> {
        let limits = &options.limits;
        let number = |number: i64| (number != 0).then_some(number);
        let names: Vec<&String> =
            options.cache_from.iter().filter_map(|cache| cache.get("ref")).collect();
        let query = Query::default()
            .set("dockerfile", &options.dockerfile.name)
            .each("t", &options.tags)
            .set("target", &options.target)
            .flag("q", quiet)
            .flag("nocache", options.no_cache)
            .flag("pull", options.pull)
            .set("rm", "1")
            .set("forcerm", "1")
            .set("networkmode", &options.network)
            .set("platform", options.platforms.first().map_or("", String::as_str))
            .set("buildargs", serde_json::to_string(&options.build_args)?)
            .set("labels", serde_json::to_string(&options.labels)?)
            .set("cachefrom", serde_json::to_string(&names)?)
            .set("ulimits", serde_json::to_string(&options.ulimits)?)
            .each("extrahosts", &options.extra_hosts)
            .set("cgroupparent", &options.cgroup_parent)
            .number("shmsize", number(options.shm_size))
            .number("memory", number(limits.memory))
            .number("memswap", number(limits.memory_swap))
            .number("cpushares", number(limits.cpu_shares))
            .number("cpuperiod", number(limits.cpu_period))
            .number("cpuquota", number(limits.cpu_quota))
            .set("cpusetcpus", &limits.cpuset_cpus)
            .set("cpusetmems", &limits.cpuset_mems);
        let body = self.stream_with_auths(&options.auths, &query.on("/build"), tar).await?;
        Ok(body.json_lines())
    }
}

impl Client {
    /// Removes from the build cache. `keep` are bytes that may stay.
    pub async fn build_prune(
        &self,
        all: bool,
        keep: i64,
        filters: &Filters,
    ) -> Result<CachePruneReport> {
        let query = Query::default()
            .flag("all", all)
            .number("keep-storage", (keep > 0).then_some(keep))
            .set("filters", filters.encode());
        self.post_query(&query.on("/build/prune")).await
    }
}

impl BuildNews {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<News>> {
        loop {
            let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let line = self.buffer.split_to(self.searched + end);
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST_LINE {
                let text = "a line of a build's news is too long";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text).into());
            }
            match self.receiver.recv().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Error::Io(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }
}
