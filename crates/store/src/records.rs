//! The engine's own documents: containers and networks, opaque here but for id and unique name.

use rusqlite::{ErrorCode, OptionalExtension, Transaction};

use crate::Store;
use crate::database::Durability;
use crate::error::{Error, Result};

/// One kind of record. Container records survive the engine's death, the rest power loss too.
pub struct Records<'s> {
    store: &'s Store,
    table: &'static str,
    durability: Durability,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: String,
    pub name: String,
    /// JSON of the engine.
    pub document: Vec<u8>,
}

impl Store {
    pub fn containers(&self) -> Records<'_> {
        Records { store: self, table: "containers", durability: Durability::ProcessDeath }
    }

    pub fn networks(&self) -> Records<'_> {
        Records { store: self, table: "networks", durability: Durability::PowerLoss }
    }
}

impl Records<'_> {
    /// Adds a record; of two with one name, one gets `Conflict`. The caller words the message for its noun.
    pub fn create(&self, record: &Record) -> Result<()> {
        self.store.write(self.durability, |transaction| self.insert(transaction, record))
    }

    pub(crate) fn insert(&self, transaction: &Transaction<'_>, record: &Record) -> Result<()> {
        let sql = format!("INSERT INTO {} (id, name, document) VALUES (?1, ?2, ?3)", self.table);
        let row = (&record.id, &record.name, &record.document);
        let changed = execute(transaction, &sql, row, &record.name)?;
        debug_assert_eq!(changed, 1);
        Ok(())
    }

    /// Replaces name and document of an existing record; a taken name is a `Conflict`.
    pub fn update(&self, record: &Record) -> Result<()> {
        let sql = format!("UPDATE {} SET name = ?2, document = ?3 WHERE id = ?1", self.table);
        match self.execute(&sql, (&record.id, &record.name, &record.document), &record.name)? {
            0 => Err(Error::not_found(format!("no record {} in {}", record.id, self.table))),
            _ => Ok(()),
        }
    }

    /// The id that holds `name`, for conflict messages.
    pub fn id_of(&self, name: &str) -> Result<Option<String>> {
        let sql = format!("SELECT id FROM {} WHERE name = ?1", self.table);
        self.store.database.read(|db| {
            Ok(db.prepare_cached(&sql)?.query_row([name], |row| row.get(0)).optional()?)
        })
    }

    pub fn get(&self, id: &str) -> Result<Option<Record>> {
        let sql = format!("SELECT id, name, document FROM {} WHERE id = ?1", self.table);
        self.store
            .database
            .read(|db| Ok(db.prepare_cached(&sql)?.query_row([id], record).optional()?))
    }

    pub fn all(&self) -> Result<Vec<Record>> {
        let sql = format!("SELECT id, name, document FROM {} ORDER BY rowid", self.table);
        self.store.database.read(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let records = statement.query_map([], record)?.collect::<rusqlite::Result<_>>()?;
            Ok(records)
        })
    }

    /// Whether there was one.
    pub fn delete(&self, id: &str) -> Result<bool> {
        let sql = format!("DELETE FROM {} WHERE id = ?1", self.table);
        Ok(self.execute(&sql, [id], id)? > 0)
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params, name: &str) -> Result<usize> {
        self.store.write(self.durability, |transaction| execute(transaction, sql, parameters, name))
    }
}

fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: impl rusqlite::Params,
    name: &str,
) -> Result<usize> {
    match transaction.prepare_cached(sql)?.execute(parameters) {
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == ErrorCode::ConstraintViolation =>
        {
            Err(Error::conflict(format!("{name:?} is already in use")))
        }
        result => Ok(result?),
    }
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { id: row.get(0)?, name: row.get(1)?, document: row.get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn record(id: &str, name: &str) -> Record {
        Record { id: id.into(), name: name.into(), document: b"{}".to_vec() }
    }

    #[test]
    fn one_name_belongs_to_one_container() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let containers = store.containers();
        containers.create(&record("1", "web")).unwrap();
        assert_eq!(containers.create(&record("2", "web")).unwrap_err().kind(), Kind::Conflict);
        assert_eq!(containers.id_of("web").unwrap().as_deref(), Some("1"));
        containers.update(&record("1", "db")).unwrap();
        containers.create(&record("2", "web")).unwrap();
        assert_eq!(containers.update(&record("2", "db")).unwrap_err().kind(), Kind::Conflict);
        assert!(containers.delete("1").unwrap() && !containers.delete("1").unwrap());
        assert_eq!(containers.all().unwrap(), [record("2", "web")]);
    }

    #[test]
    fn records_are_there_after_the_store_is_opened_again() {
        let root = tempfile::tempdir().unwrap();
        Store::open(root.path()).unwrap().networks().create(&record("v", "v")).unwrap();
        let store = Store::open(root.path()).unwrap();
        assert_eq!(store.networks().get("v").unwrap(), Some(record("v", "v")));
    }
}
