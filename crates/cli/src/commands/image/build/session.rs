//! A build on an engine that asks for what it needs, to its end.

use std::sync::Arc;
use std::time::Duration;

use api::build::{BuildResult, Failure, News};
use client::build::BuildSession;

use super::answers::Answers;
use super::progress::Progress;

/// How often what is shown moves on, where nothing else moves it.
const TICK: Duration = Duration::from_millis(150);

/// What came of it, and all that was told shown.
pub(super) async fn follow(
    session: BuildSession,
    answers: Arc<Answers>,
    progress: &mut Progress,
) -> Result<BuildResult, Failure> {
    let BuildSession { mut asked, mut news, connection } = session;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            // Ended here and not by the signal, so that what was made for the build is put away.
            _ = &mut interrupted => {
                drop(connection);
                return Err(ended("context canceled"));
            }
            told = news.next() => match told {
                Ok(Some(News::Status(status))) => progress.add(status),
                Ok(Some(News::Result(result))) => return Ok(result),
                Ok(Some(News::Failed(failure))) => return Err(failure),
                Ok(None) => return Err(ended("the engine went away")),
                Err(error) => return Err(ended(&format!("the engine went away: {error}"))),
            },
            Some(asked) = asked.recv() => {
                tokio::spawn(Arc::clone(&answers).answer(asked));
            }
            _ = ticks.tick() => progress.tick(),
        }
    }
}

fn ended(why: &str) -> Failure {
    Failure { message: why.to_owned(), ..Failure::default() }
}
