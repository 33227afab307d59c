//! Commands that a service has run in its containers: after their start, and before they are stopped.

use api::StrSlice;
use api::exec::{CreateRequest, StartRequest};
use api::stream::{HEAD, parse_head};
use client::{Client, Hijacked};
use tokio::io::AsyncReadExt;

use super::{Error, Result};
use crate::create::variables;
use crate::model::{Hook, Service};

/// As much of what a hook writes as its failure is told with.
const MOST_TOLD: usize = 4096;

/// After a start. The first that fails ends them.
pub async fn post_start(client: &Client, container: &str, service: &Service) -> Result {
    all(client, container, (service, "post_start"), &service.post_start).await
}

/// Before a stop, of a container that runs. One that is gone needs none.
pub async fn pre_stop(client: &Client, container: &str, service: &Service) -> Result {
    match all(client, container, (service, "pre_stop"), &service.pre_stop).await {
        Err(Error::Client(error)) if matches!(error.status(), Some(404 | 409)) => Ok(()),
        result => result,
    }
}

async fn all(
    client: &Client,
    container: &str,
    (service, kind): (&Service, &str),
    hooks: &[Hook],
) -> Result {
    for hook in hooks {
        let (code, output) = exec(client, container, hook).await?;
        if code != 0 {
            let text = String::from_utf8_lossy(&output);
            let said = text.trim_end().lines().last().map(|line| format!(": {line}"));
            return Err(Error::Failed(format!(
                "{} {kind} hook exited with status {code}{}",
                service.name,
                said.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

/// Its exit code and the end of what it wrote.
pub async fn exec(client: &Client, container: &str, hook: &Hook) -> Result<(i64, Vec<u8>)> {
    let request = CreateRequest {
        user: hook.user.clone(),
        privileged: hook.privileged,
        attach_stdout: true,
        attach_stderr: true,
        env: Some(variables(&hook.environment)),
        working_dir: hook.working_dir.clone(),
        cmd: Some(StrSlice(hook.command.clone())),
        ..CreateRequest::default()
    };
    let id = client.exec_create(container, &request).await?.id;
    let stream = client.exec_start(&id, &StartRequest::default()).await?;
    let output = end_of(stream).await?;
    Ok((client.exec_inspect(&id).await?.exit_code.unwrap_or_default(), output))
}

/// Reads to the end, which is that of the command, and keeps the last of it.
async fn end_of(stream: Hijacked) -> Result<Vec<u8>> {
    let mut tail = Tail::default();
    tail.feed(&stream.buffered);
    // Its input stays open until it has ended.
    let (mut reader, _writer) = stream.split();
    let mut buffer = vec![0; MOST_TOLD];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return Ok(tail.text),
            Ok(count) => tail.feed(&buffer[..count]),
            Err(error) => return Err(Error::Failed(format!("what a hook writes: {error}"))),
        }
    }
}

/// The last of what frames carry, across any cut of them.
#[derive(Default)]
struct Tail {
    head: Vec<u8>,
    remaining: usize,
    text: Vec<u8>,
}

impl Tail {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.remaining == 0 {
                let count = (HEAD - self.head.len()).min(bytes.len());
                self.head.extend_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                let Ok(head) = <[u8; HEAD]>::try_from(self.head.as_slice()) else { return };
                self.head.clear();
                self.remaining = parse_head(head).map_or(0, |(_, length)| length as usize);
                continue;
            }
            let (now, later) = bytes.split_at(self.remaining.min(bytes.len()));
            self.remaining -= now.len();
            self.text.extend_from_slice(now);
            let surplus = self.text.len().saturating_sub(MOST_TOLD);
            self.text.drain(..surplus);
            bytes = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use api::stream::{Stream, head};

    use super::*;

    #[test]
    fn the_last_of_frames_is_kept_however_they_are_cut() {
        let mut bytes = Vec::new();
        for text in ["first\n".repeat(2000), "last\n".to_owned()] {
            bytes.extend(head(Stream::Stderr, text.len() as u32));
            bytes.extend(text.as_bytes());
        }
        let mut tail = Tail::default();
        bytes.chunks(7).for_each(|part| tail.feed(part));
        assert_eq!(tail.text.len(), MOST_TOLD);
        assert!(tail.text.ends_with(b"first\nlast\n"));
    }
}
