//! Authorisation plugins (`--authorization-plugin`), by Docker's plugin protocol: each is told of every request before
//! it is carried out and of every answer before it is sent, and one that refuses, or that cannot be asked, refuses for
//! all.
//!
//! What a plugin is told is what the handler gets: the path as the router read it, and JSON bodies whole or not at all
//! (CVE-2024-41110, CVE-2026-34040). Archives are streamed and never shown, as with Docker; no handler reads JSON from
//! them.

mod exchange;
mod plugin;

use std::sync::{Arc, PoisonError, RwLock};

pub use exchange::{Exchange, User};
pub use plugin::{Folders, Plugin};

use crate::error::{Error, Kind, Result};

/// The plugins that are asked, in their order.
pub struct Authorization {
    folders: Folders,
    plugins: RwLock<Arc<[Plugin]>>,
}

impl Authorization {
    /// Nobody is asked until `require`.
    pub fn new(folders: Folders) -> Self {
        Self { folders, plugins: RwLock::new(Arc::new([])) }
    }

    /// From now on asks these plugins and no others.
    ///
    /// # Errors
    /// A plugin that is not there or is none; nothing is changed then.
    pub async fn require(&self, names: &[String]) -> Result<()> {
        let mut plugins: Vec<Plugin> = Vec::new();
        for name in names {
            if plugins.iter().any(|plugin| plugin.name == *name) {
                continue;
            }
            let found = Plugin::find(name, &self.folders).await;
            plugins.push(found.map_err(|cause| {
                Error::invalid("failed to validate authorization plugin").because(cause)
            })?);
        }
        *self.plugins.write().unwrap_or_else(PoisonError::into_inner) = plugins.into();
        Ok(())
    }

    /// The plugins to ask about one request and its answer; `None` if there are none.
    pub fn asked(&self) -> Option<Arc<[Plugin]>> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&plugins)).filter(|plugins| !plugins.is_empty())
    }
}

/// Asks whether a request may be carried out.
///
/// # Errors
/// In Docker's words: who refused it, or which plugin could not be asked.
pub async fn allow_request(plugins: &[Plugin], exchange: &Exchange) -> Result<()> {
    ask(plugins, "AuthZPlugin.AuthZReq", exchange).await
}

/// Asks whether an answer may be sent.
///
/// # Errors
/// As `allow_request`.
pub async fn allow_response(plugins: &[Plugin], exchange: &Exchange) -> Result<()> {
    ask(plugins, "AuthZPlugin.AuthZRes", exchange).await
}

async fn ask(plugins: &[Plugin], method: &str, exchange: &Exchange) -> Result<()> {
    let question = exchange.encode();
    for plugin in plugins {
        let name = &plugin.name;
        let verdict = plugin
            .ask(method, question.clone())
            .await
            .map_err(|why| Error::system(format!("plugin {name} failed with error: {why}")))?;
        if !verdict.allow {
            let why = verdict.message;
            let text = format!("authorization denied by plugin {name}: {why}");
            return Err(Error::new(Kind::Forbidden, text));
        }
    }
    Ok(())
}
