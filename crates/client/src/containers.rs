//! `/containers`.

use api::containers::{
    Change, CreateRequest, CreateResponse, Inspect, PathStat, PruneReport, Stats, Summary,
    TopResponse, UpdateRequest, UpdateResponse, WaitResponse,
};
use api::{Filters, IdResponse, Version};
use bytes::Bytes;
use hyper::Method;

use crate::body::{Body, JsonLines, Upload};
use crate::error::{Error, Result};
use crate::query::{Query, segment};
use crate::{Client, Hijacked};

/// Which containers to list.
#[derive(Debug, Clone, Default)]
pub struct List {
    pub all: bool,
    pub limit: Option<i64>,
    pub size: bool,
    pub filters: Filters,
}

/// Which streams to attach.
#[derive(Debug, Clone, Default)]
pub struct Attach {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// What was written before, too.
    pub logs: bool,
    pub detach_keys: String,
    /// Whether the container has a terminal, and its output so no frames.
    pub tty: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Logs {
    pub stdout: bool,
    pub stderr: bool,
    pub follow: bool,
    pub timestamps: bool,
    pub details: bool,
    pub since: String,
    pub until: String,
    pub tail: String,
}

/// How long to wait for a container to stop, and by which signal.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub signal: String,
    pub timeout: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Remove {
    pub force: bool,
    pub volumes: bool,
    pub link: bool,
}

/// What `wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCondition {
    NotRunning,
    NextExit,
    Removed,
}

#[derive(Debug, Clone, Default)]
pub struct Commit {
    pub container: String,
    pub repo: String,
    pub tag: String,
    pub comment: String,
    pub author: String,
    pub pause: bool,
    pub changes: Vec<String>,
}

/// How an archive is to be unpacked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extract {
    /// A directory is not to give way to something else, nor the reverse.
    pub keep_directories: bool,
    /// Everything is to belong to the container's user.
    pub own_by_user: bool,
}

fn path(id: &str, action: &str) -> String {
    format!("/containers/{}/{action}", segment(id))
}

impl Client {
    pub async fn container_list(&self, list: &List) -> Result<Vec<Summary>> {
        let query = Query::default()
            .flag("all", list.all)
            .number("limit", list.limit)
            .flag("size", list.size)
            .set("filters", list.filters.encode());
        self.get(&query.on("/containers/json")).await
    }

    pub async fn container_create(
        &self,
        name: &str,
        platform: &str,
        request: &CreateRequest,
    ) -> Result<CreateResponse> {
        let query = Query::default().set("name", name).set("platform", platform);
        self.post(&query.on("/containers/create"), request).await
    }

    pub async fn container_inspect(&self, id: &str) -> Result<Inspect> {
        Error::check_named("container", id)?;
        self.get(&path(id, "json")).await
    }

    /// The document as the engine wrote it, fields we do not know included; with those that 1.52 dropped: templates of
    /// many years name them.
    pub async fn container_inspect_raw(&self, id: &str, size: bool) -> Result<Bytes> {
        Error::check_named("container", id)?;
        let path = Query::default().flag("size", size).on(&path(id, "json"));
        self.get_raw_until(Version::v1(51), &path).await
    }

    pub async fn container_start(&self, id: &str, detach_keys: &str) -> Result<()> {
        let query = Query::default().set("detachKeys", detach_keys);
        self.act(Method::POST, &query.on(&path(id, "start"))).await
    }

    pub async fn container_stop(&self, id: &str, stop: &Stop) -> Result<()> {
        self.act(Method::POST, &stop_query(stop).on(&path(id, "stop"))).await
    }

    pub async fn container_restart(&self, id: &str, stop: &Stop) -> Result<()> {
        self.act(Method::POST, &stop_query(stop).on(&path(id, "restart"))).await
    }

    pub async fn container_kill(&self, id: &str, signal: &str) -> Result<()> {
        let query = Query::default().set("signal", signal);
        self.act(Method::POST, &query.on(&path(id, "kill"))).await
    }

    pub async fn container_pause(&self, id: &str) -> Result<()> {
        self.act(Method::POST, &path(id, "pause")).await
    }

    pub async fn container_unpause(&self, id: &str) -> Result<()> {
        self.act(Method::POST, &path(id, "unpause")).await
    }

    pub async fn container_rename(&self, id: &str, name: &str) -> Result<()> {
        let query = Query::default().set("name", name);
        self.act(Method::POST, &query.on(&path(id, "rename"))).await
    }

    pub async fn container_resize(&self, id: &str, height: u16, width: u16) -> Result<()> {
        let query =
            Query::default().number("h", Some(height.into())).number("w", Some(width.into()));
        self.act(Method::POST, &query.on(&path(id, "resize"))).await
    }

    pub async fn container_remove(&self, id: &str, remove: Remove) -> Result<()> {
        let query = Query::default()
            .flag("v", remove.volumes)
            .flag("link", remove.link)
            .flag("force", remove.force);
        self.act(Method::DELETE, &query.on(&format!("/containers/{}", segment(id)))).await
    }

    pub async fn container_prune(&self, filters: &Filters) -> Result<PruneReport> {
        let query = Query::default().set("filters", filters.encode());
        self.post_query(&query.on("/containers/prune")).await
    }

    pub async fn container_wait(&self, id: &str, condition: WaitCondition) -> Result<WaitResponse> {
        let mut answers = self.container_wait_begin(id, condition).await?;
        let closed = || Error::Stream("the engine closed the connection".to_owned());
        answers.next().await?.ok_or_else(closed)
    }

    /// Returns once the engine waits, so that a start that follows cannot be missed; the answer comes
    /// when the condition is met.
    pub async fn container_wait_begin(
        &self,
        id: &str,
        condition: WaitCondition,
    ) -> Result<JsonLines<WaitResponse>> {
        let condition = match condition {
            WaitCondition::NotRunning => "",
            WaitCondition::NextExit => "next-exit",
            WaitCondition::Removed => "removed",
        };
        let query = Query::default().set("condition", condition);
        let body = self.stream(Method::POST, &query.on(&path(id, "wait")), Upload::empty()).await?;
        Ok(body.json_lines())
    }

    pub async fn container_attach(&self, id: &str, attach: &Attach) -> Result<Hijacked> {
        Error::check_named("container", id)?;
        let query = Query::default()
            .flag("stream", true)
            .flag("stdin", attach.stdin)
            .flag("stdout", attach.stdout)
            .flag("stderr", attach.stderr)
            .flag("logs", attach.logs)
            .set("detachKeys", &attach.detach_keys);
        self.hijack(&query.on(&path(id, "attach")), Upload::empty(), !attach.tty).await
    }

    pub async fn container_logs(&self, id: &str, logs: &Logs) -> Result<Body> {
        Error::check_named("container", id)?;
        let query = Query::default()
            .flag("stdout", logs.stdout)
            .flag("stderr", logs.stderr)
            .flag("follow", logs.follow)
            .flag("timestamps", logs.timestamps)
            .flag("details", logs.details)
            .set("since", &logs.since)
            .set("until", &logs.until)
            .set("tail", &logs.tail);
        self.stream(Method::GET, &query.on(&path(id, "logs")), Upload::empty()).await
    }

    pub async fn container_top(&self, id: &str, ps_args: &str) -> Result<TopResponse> {
        self.get(&Query::default().set("ps_args", ps_args).on(&path(id, "top"))).await
    }

    pub async fn container_changes(&self, id: &str) -> Result<Option<Vec<Change>>> {
        self.get(&path(id, "changes")).await
    }

    pub async fn container_stats(&self, id: &str) -> Result<JsonLines<Stats>> {
        let query = Query::default().flag("stream", true);
        Ok(self
            .stream(Method::GET, &query.on(&path(id, "stats")), Upload::empty())
            .await?
            .json_lines())
    }

    /// One sample; with the one before it, so that rates can be told.
    pub async fn container_stats_once(&self, id: &str) -> Result<Stats> {
        self.get(&Query::default().set("stream", "0").on(&path(id, "stats"))).await
    }

    pub async fn container_update(
        &self,
        id: &str,
        update: &UpdateRequest,
    ) -> Result<UpdateResponse> {
        self.post(&path(id, "update"), update).await
    }

    /// The root file system as a tar.
    pub async fn container_export(&self, id: &str) -> Result<Body> {
        self.stream(Method::GET, &path(id, "export"), Upload::empty()).await
    }

    /// What lies at a path in a container; a link is not followed.
    pub async fn container_archive_stat(&self, id: &str, place: &str) -> Result<PathStat> {
        let query = Query::default().set("path", place).on(&path(id, "archive"));
        let body = self.stream(Method::HEAD, &query, Upload::empty()).await?;
        path_stat(&body)
    }

    /// What lies at a path in a container, as a tar, and what it is.
    pub async fn container_archive(&self, id: &str, place: &str) -> Result<(PathStat, Body)> {
        let query = Query::default().set("path", place).on(&path(id, "archive"));
        let body = self.stream(Method::GET, &query, Upload::empty()).await?;
        Ok((path_stat(&body)?, body))
    }

    /// Unpacks a tar to a directory in a container.
    pub async fn container_archive_put(
        &self,
        id: &str,
        directory: &str,
        extract: Extract,
        tar: Upload,
    ) -> Result<()> {
        let query = Query::default()
            .set("path", directory)
            .set("noOverwriteDirNonDir", if extract.keep_directories { "true" } else { "" })
            .set("copyUIDGID", if extract.own_by_user { "true" } else { "" });
        let query = query.on(&path(id, "archive"));
        self.stream(Method::PUT, &query, tar).await?.bytes().await.map(drop)
    }

    pub async fn container_commit(&self, commit: &Commit) -> Result<IdResponse> {
        let query = Query::default()
            .set("container", &commit.container)
            .set("repo", &commit.repo)
            .set("tag", &commit.tag)
            .set("comment", &commit.comment)
            .set("author", &commit.author)
            .each("changes", &commit.changes)
            .set("pause", if commit.pause { "" } else { "0" });
        self.post_query(&query.on("/commit")).await
    }
}

fn path_stat(body: &Body) -> Result<PathStat> {
    let missing = || Error::Stream("the engine did not say what lies at the path".to_owned());
    PathStat::from_header(&body.path_stat).ok_or_else(missing)
}

fn stop_query(stop: &Stop) -> Query {
    Query::default().set("signal", &stop.signal).number("t", stop.timeout)
}
