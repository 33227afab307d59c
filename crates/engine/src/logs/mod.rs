//! Reading a container's log back: from the end or from a time, over rotated files, and following it while the
//! monitor writes. Nobody but the monitor writes these files; a reader may lag behind it by any distance.

mod changes;
mod compress;
mod entry;
mod files;
mod json;
mod local;
mod reader;
pub mod remote;
mod timestamp;
mod walk;

pub use compress::keep_compressed;
pub use files::{Format, Source};
pub use reader::Reader;
pub use timestamp::Timestamp;

/// What a client asked for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub stdout: bool,
    pub stderr: bool,
    /// Entries at or after this time.
    pub since: Option<Timestamp>,
    /// Entries at or before this time.
    pub until: Option<Timestamp>,
    /// Only so many of the last entries; counted before anything else is left out, as Docker does.
    pub tail: Option<u64>,
    pub timestamps: bool,
    /// The extra attributes of the logging options, before each line.
    pub details: bool,
    /// Without stream headers, as a terminal's always are.
    pub unframed: bool,
    /// Go on until the container has ended.
    pub follow: bool,
}
