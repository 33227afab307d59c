//! Keys that lead to others: a step that takes files of another one is known by that one's key first, and by the files then.

use oci::Digest;
use rusqlite::{OptionalExtension, Transaction};

use super::Builds;
use crate::database::Durability;
use crate::error::Result;

impl Builds<'_> {
    pub fn alias(&self, key: &Digest) -> Result<Option<Digest>> {
        let found: Option<String> = self.database.read(|db| {
            let sql = "SELECT record FROM build_aliases WHERE key = ?1";
            let row = db.prepare_cached(sql)?.query_row([key.as_str()], |row| row.get(0));
            Ok(row.optional()?)
        })?;
        Ok(found.and_then(|text| Digest::parse(&text).ok()))
    }

    pub fn put_alias(&self, key: &Digest, record: &Digest) -> Result<()> {
        self.database.write(Durability::ProcessDeath, |transaction| {
            let sql = "INSERT OR REPLACE INTO build_aliases (key, record) VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute([key.as_str(), record.as_str()])?;
            Ok(())
        })
    }
}

/// Of records that are gone.
pub(super) fn drop_aliases(transaction: &Transaction<'_>, record: &str) -> Result<()> {
    let sql = "DELETE FROM build_aliases WHERE record = ?1";
    transaction.prepare_cached(sql)?.execute([record])?;
    Ok(())
}
