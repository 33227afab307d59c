//! How a container ended, also where the engine that was asked is not the one that answers.

use api::Filters;
use api::containers::WaitResponse;
use client::containers::WaitCondition;
use client::{Client, JsonLines};

use crate::error::{Failure, Result};
use crate::session::ask_next_engine;

/// The answer to the wait that was begun, or the next engine's.
pub(super) async fn exit_code(
    client: &Client,
    id: &str,
    waiting: &mut JsonLines<WaitResponse>,
) -> Result<u8> {
    match waiting.next().await {
        Ok(Some(answer)) => code(answer),
        Ok(None) | Err(_) => of_next_engine(client, id).await,
    }
}

async fn of_next_engine(client: &Client, id: &str) -> Result<u8> {
    match ask_next_engine(|| client.container_wait(id, WaitCondition::NotRunning)).await {
        Ok(answer) => code(answer),
        Err(error) if error.is_not_found() => of_removed(client, id).await,
        Err(error) => Err(Failure::with_code(
            125,
            format!("the engine stopped before the container did: {error}"),
        )),
    }
}

/// A container that removed itself is remembered by its events.
async fn of_removed(client: &Client, id: &str) -> Result<u8> {
    let mut filters = Filters::default();
    filters.add("container", id);
    filters.add("event", "die");
    let now = crate::time::parse("until", "0s")?;
    let mut events = client.system_events("1", &now, &filters).await?;
    let mut last = None;
    while let Some(event) = events.next().await? {
        let code = event.actor.attributes.as_ref().and_then(|all| all.get("exitCode"));
        last = code.and_then(|code| code.parse().ok()).or(last);
    }
    last.ok_or_else(|| Failure::with_code(125, "the engine stopped before the container did"))
}

fn code(answer: WaitResponse) -> Result<u8> {
    match answer.error {
        Some(error) if !error.message.is_empty() => {
            Err(Failure::with_code(125, format!("Error waiting for container: {}", error.message)))
        }
        // Exit codes are a byte wherever they come from.
        _ => Ok((answer.status_code & 0xff) as u8),
    }
}
