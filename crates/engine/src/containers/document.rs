//! A record that one task changes and everybody reads: the two are one piece of memory until the next change, which
//! makes a copy. Most containers of a host have ended and never change again.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::record::Record;

#[derive(Debug)]
pub struct Document(Arc<Record>);

impl Document {
    /// The record as it is now, for others.
    pub fn share(&self) -> Arc<Record> {
        Arc::clone(&self.0)
    }
}

impl From<Record> for Document {
    fn from(record: Record) -> Self {
        Self(Arc::new(record))
    }
}

impl Deref for Document {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.0
    }
}

impl DerefMut for Document {
    fn deref_mut(&mut self) -> &mut Record {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shared_does_not_change() {
        let mut document = Document::from(super::super::record::tests::record("ab"));
        let shared = document.share();
        assert!(std::ptr::eq(&*shared, &*document));
        document.name = "new".into();
        assert_ne!(shared.name, "new");
        assert_eq!(document.share().name, "new");
    }
}
