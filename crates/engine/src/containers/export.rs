//! `export`: a container's root as one tar.

use std::io::Write;

use super::Containers;
use super::request::Request;
use crate::error::Result;

impl Containers {
    /// Writes the tar from a thread that may block, to its end or to `writer`'s refusal.
    pub async fn export(&self, wanted: &str, writer: impl Write + Send + 'static) -> Result<()> {
        let handle = self.find(wanted)?;
        handle.ask(|reply| Request::Tell { action: "export", reply }).await?;
        self.0.disk.export(&handle.id, writer).await
    }
}
