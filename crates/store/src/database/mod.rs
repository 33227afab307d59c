//! SQLite in WAL mode: one writer, many readers, checkpoints on the maintenance thread.
//!
//! Migrations go forward only, one transaction each, after a copy of the old file; a schema newer than this
//! program is refused rather than guessed at.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::fs::FallocateFlags;

use crate::error::{Error, Result};

/// Entry `n` takes the schema from version `n` to `n + 1`.
const MIGRATIONS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("listing.sql"),
    include_str!("volumes.sql"),
    include_str!("registry.sql"),
    include_str!("builds.sql"),
    include_str!("parts.sql"),
    include_str!("attached.sql"),
];
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const CHECKPOINT_AT: u64 = 4 << 20;
/// Of the log: what it grows to before it is begun anew, and some more.
const RESERVED: u64 = CHECKPOINT_AT + (1 << 20);
/// Pages that a connection keeps in memory, in KiB: the kernel has them anyway.
const CACHE: i64 = 256;
/// Connections that are kept for the next readers.
const IDLE_READERS: usize = 4;

/// What must survive: a power loss, or only the death of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    PowerLoss,
    ProcessDeath,
}

pub(crate) struct Database {
    path: PathBuf,
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Connection>>,
    /// Transactions that wrote.
    writes: AtomicU64,
}

struct Writer {
    connection: Connection,
    /// What the connection is set to.
    durability: Durability,
}

impl Writer {
    fn set(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            let synchronous = match durability {
                Durability::PowerLoss => "full",
                Durability::ProcessDeath => "normal",
            };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.durability = durability;
        }
        Ok(())
    }
}

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Database> {
        let mut writer = Connection::open(path)?;
        writer.busy_timeout(BUSY_TIMEOUT)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.pragma_update(None, "foreign_keys", true)?;
        writer.pragma_update(None, "wal_autocheckpoint", 0)?;
        writer.pragma_update(None, "journal_size_limit", CHECKPOINT_AT)?;
        writer.pragma_update(None, "cache_size", -CACHE)?;
        migrate(&mut writer, path)?;
        let database = Database {
            path: path.to_owned(),
            writer: Mutex::new(Writer { connection: writer, durability: Durability::PowerLoss }),
            readers: Mutex::default(),
            writes: AtomicU64::new(0),
        };
        database.reserve();
        Ok(database)
    }

    /// Has the log's blocks ready, so that on a full disk what fills it can still be taken out of the records, and then
    /// removed. Where the file system cannot, or the disk is full already, it is as it is.
    pub(crate) fn reserve(&self) {
        let log = fs::OpenOptions::new().write(true).open(self.log());
        if let Ok(log) = log {
            let _ = rustix::fs::fallocate(log, FallocateFlags::KEEP_SIZE, 0, RESERVED);
        }
    }

    fn log(&self) -> PathBuf {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        log.into()
    }

    /// Runs `work` in one transaction; an error rolls it back.
    pub(crate) fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut writer = lock(&self.writer);
        writer.set(durability)?;
        let immediate = TransactionBehavior::Immediate;
        let transaction = writer.connection.transaction_with_behavior(immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(value)
    }

    /// Keeps one connection for the next reader: each takes some 200 KB.
    pub(crate) fn rest(&self) {
        lock(&self.readers).truncate(1);
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = lock(&self.readers).pop();
        let reader = match pooled {
            Some(reader) => reader,
            None => self.reader()?,
        };
        let value = work(&reader);
        let mut readers = lock(&self.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        value
    }

    fn reader(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.path, flags)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        reader.pragma_update(None, "cache_size", -CACHE)?;
        Ok(reader)
    }

    pub(crate) fn wants_checkpoint(&self) -> bool {
        fs::metadata(self.log()).is_ok_and(|metadata| metadata.len() > CHECKPOINT_AT)
    }

    /// Gives back what deleted rows took, of the file and of its log.
    pub(crate) fn compact(&self) -> Result<()> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let free: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free > 0 {
            connection.execute_batch("VACUUM")?;
        }
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Moves the log into the database file, on a connection of its own so that the writer goes on. The next writer
    /// that finds all of it moved begins the log anew, and cuts it to its limit.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// A panic while the lock was held rolled its transaction back: what is behind it is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > MIGRATIONS.len() {
        return Err(Error::system(format!(
            "metadata database {}: schema version {version} is newer than this program knows ({}): use a newer version",
            path.display(),
            MIGRATIONS.len()
        )));
    }
    if version > 0 && version < MIGRATIONS.len() {
        let backup = path.with_extension(format!("db.v{version}"));
        connection.execute("VACUUM INTO ?1", [backup.to_string_lossy()])?;
    }
    for (index, step) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", index + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gantry.db");
        drop(Database::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = Database::open(&path).err().expect("refused").to_string();
        assert!(error.contains("schema version 99 is newer"), "{error}");
    }

    #[test]
    fn the_log_does_not_grow_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("gantry.db")).unwrap();
        for round in 0..40 {
            let document = vec![b'x'; 1 << 20];
            database
                .write(Durability::ProcessDeath, |transaction| {
                    let sql = "INSERT OR REPLACE INTO containers VALUES ('c', ?1, ?2)";
                    Ok(transaction.execute(sql, (format!("n{round}"), document))?)
                })
                .unwrap();
            if database.wants_checkpoint() {
                database.checkpoint().unwrap();
            }
        }
        let log = fs::metadata(directory.path().join("gantry.db-wal")).unwrap().len();
        assert!(log < 3 * CHECKPOINT_AT, "{log}");
    }

    #[test]
    fn what_deleted_rows_took_is_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gantry.db");
        let database = Database::open(&path).unwrap();
        let size = || {
            let of = |path: &str| fs::metadata(directory.path().join(path)).unwrap().len();
            of("gantry.db") + of("gantry.db-wal")
        };
        database.compact().unwrap();
        let empty = size();
        let write = |sql: &str| {
            database
                .write(Durability::ProcessDeath, |transaction| Ok(transaction.execute(sql, [])?))
                .unwrap()
        };
        write("INSERT INTO containers VALUES ('c', 'n', zeroblob(3000000))");
        // A reader that looked meanwhile is in nobody's way.
        database.read(|db| Ok(db.query_row("SELECT 1", [], |_| Ok(()))?)).unwrap();
        write("DELETE FROM containers");
        assert!(size() > empty + 3_000_000);
        database.compact().unwrap();
        assert_eq!(size(), empty);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("gantry.db")).unwrap();
        let result: Result<()> = database.write(Durability::PowerLoss, |transaction| {
            transaction.execute("INSERT INTO refs VALUES ('x', 'y')", [])?;
            Err(Error::invalid("no"))
        });
        assert!(result.is_err());
        let count = database
            .read(|db| {
                Ok(db.query_row("SELECT count(*) FROM refs", [], |row| row.get::<_, i64>(0))?)
            })
            .unwrap();
        assert_eq!(count, 0);
    }
}
