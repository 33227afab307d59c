//! Locks in an object storage, which has none: flags. Who wants something raises a flag and then looks whose else are
//! raised; as everybody does it in this order, of two that exclude each other at least one sees the other. Who adds
//! withdraws where somebody removes; of two that remove the one withdraws whose name comes later.
//!
//! A flag whose process was killed counts for [`LEASE`], by the storage's clock. Who holds one carries out nothing
//! more after [`TERM`], a request's longest time before that.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::remote::LONGEST;
use super::{Bucket, Depth, age};
use crate::server::names::UploadId;

const LEASE: Duration = Duration::from_secs(120);
const TERM: Duration = Duration::from_secs(30);
const _: () = assert!(TERM.as_secs() + LONGEST.as_secs() < LEASE.as_secs());
/// A flag that waits is raised anew before it is old.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Longer than the flag of one that was killed is in the way.
const PATIENCE: Duration = Duration::from_secs(150);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Shared,
    Alone,
}

/// Raised until it is dropped.
pub(in crate::server) struct Flag {
    bucket: Bucket,
    key: String,
    raised: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Sight {
    Clear,
    /// Those in the way are about to go.
    Wait,
    Withdraw,
}

impl Flag {
    pub(super) fn take(bucket: &Bucket, folder: &str, kind: Kind) -> io::Result<Self> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let flag = Self::raise(bucket, folder, kind)?;
            loop {
                match flag.look(folder, kind)? {
                    Sight::Clear => return Ok(flag),
                    Sight::Wait if flag.raised.elapsed() < LONGEST_WAIT => pause()?,
                    _ => break,
                }
            }
            drop(flag);
            pause()?;
        }
        Err(io::Error::new(ErrorKind::TimedOut, "the storage is locked by another instance"))
    }

    /// Alone, or not at all.
    pub(super) fn try_take(bucket: &Bucket, folder: &str) -> io::Result<Option<Self>> {
        let flag = Self::raise(bucket, folder, Kind::Alone)?;
        Ok((flag.look(folder, Kind::Alone)? == Sight::Clear).then_some(flag))
    }

    /// # Errors
    /// It was held for so long that others may no longer heed it.
    pub(in crate::server) fn check(&self) -> io::Result<()> {
        if self.raised.elapsed() < TERM {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::TimedOut, "the storage took too long"))
    }

    fn raise(bucket: &Bucket, folder: &str, kind: Kind) -> io::Result<Self> {
        let key = format!("{folder}/{}{}", kind.prefix(), UploadId::random()?.as_str());
        let raised = Instant::now();
        let flag = Self { bucket: bucket.clone(), key, raised };
        bucket.put(&flag.key, "")?;
        Ok(flag)
    }

    fn look(&self, folder: &str, kind: Kind) -> io::Result<Sight> {
        let list = self.bucket.below(&format!("{folder}/"), Depth::All)?;
        let mut others = Vec::new();
        for object in &list.objects {
            if age(object.modified, list.now) > LEASE {
                self.bucket.delete(&object.key)?;
            } else if object.key != self.key {
                others.push(object.key.as_str());
            }
        }
        let first_alone = format!("{folder}/{}", Kind::Alone.prefix());
        Ok(sight(kind, &self.key, &first_alone, &others))
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        if let Err(error) = self.bucket.delete(&self.key) {
            tracing::warn!("{} stays for a while: {error}", self.key);
        }
    }
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Shared => "shared-",
            Self::Alone => "alone-",
        }
    }
}

fn sight(kind: Kind, own: &str, first_alone: &str, others: &[&str]) -> Sight {
    let mut removing = others.iter().filter(|key| key.starts_with(first_alone)).peekable();
    match kind {
        Kind::Shared if removing.peek().is_some() => Sight::Withdraw,
        Kind::Shared => Sight::Clear,
        Kind::Alone if removing.any(|key| *key < own) => Sight::Withdraw,
        Kind::Alone if others.is_empty() => Sight::Clear,
        Kind::Alone => Sight::Wait,
    }
}

/// An object storage tells nobody that something is gone. Not all ask again at the same time.
fn pause() -> io::Result<()> {
    let mut bits = [0];
    rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty())?;
    std::thread::sleep(Duration::from_millis(10 + u64::from(bits[0]) / 4));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_exclude_each_other_one_goes_on() {
        let sees = |kind, own, others: &[&str]| sight(kind, own, "l/alone-", others);
        assert_eq!(sees(Kind::Shared, "l/shared-1", &["l/shared-2"]), Sight::Clear);
        assert_eq!(sees(Kind::Shared, "l/shared-1", &["l/alone-2"]), Sight::Withdraw);
        assert_eq!(sees(Kind::Alone, "l/alone-1", &["l/shared-2"]), Sight::Wait);
        assert_eq!(sees(Kind::Alone, "l/alone-1", &["l/alone-2"]), Sight::Wait);
        assert_eq!(sees(Kind::Alone, "l/alone-2", &["l/alone-1", "l/shared-1"]), Sight::Withdraw);
        assert_eq!(sees(Kind::Alone, "l/alone-1", &[]), Sight::Clear);
    }
}
