//! A registry's client: pull, push, authentication.
//!
//! A [`Repository`] is one operation's view of one repository at the place that answered: it keeps connections and
//! token, and ends with the operation. Whatever arrives is bounded and checked against its digest before it is used.

mod authority;
mod blobs;
mod challenge;
mod content;
mod download;
mod error;
#[cfg(test)]
mod fuzz;
mod login;
mod manifests;
mod network;
mod origin;
mod proxy;
mod retry;
mod search;
mod select;
mod tags;
mod transport;
mod uploads;

use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, StatusCode, Uri};
use oci::Reference;

use authority::Authority;
use origin::{Endpoint, Scheme};
use retry::Attempts;

// The server asks object storages by the same way.
pub(crate) use content::Content;
pub(crate) use origin::Origin;
pub(crate) use transport::{Answer, Question, Transport};

pub use authority::{Access, Credentials};
pub use content::Progress;
pub use download::{Download, download};
pub use error::{Error, Refusal, Result};
pub use login::log_in;
pub use manifests::{Fetched, Which};
pub use origin::Places;
pub use proxy::{Proxies, proxy_variable};
pub use search::search;
pub use select::Selected;
pub use transport::Patience;
pub use uploads::Outcome;

/// As browsers and Go have it.
const MAX_REDIRECTS: usize = 10;
/// Of what says why something was refused.
const MAX_REFUSAL: usize = 64 << 10;

/// How registries are asked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub places: Places,
    pub patience: Patience,
    /// Tries without any progress before an operation fails.
    pub attempts: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { places: Places::default(), patience: Patience::default(), attempts: 5 }
    }
}

/// A repository at one place.
pub struct Repository {
    transport: Transport,
    endpoint: Endpoint,
    authority: Authority,
    /// Within its registry: `library/busybox`.
    path: String,
    attempts: u32,
}

impl Repository {
    /// The place of a repository that answers, by its own name: copies elsewhere are for pulls.
    pub async fn open(
        settings: &Settings,
        name: &Reference,
        credentials: &Credentials,
        access: Access,
    ) -> Result<Self> {
        let endpoints = settings.places.itself(name.domain())?;
        let mut last = None;
        for endpoint in endpoints {
            match Self::at(settings, endpoint, name, credentials, access).await {
                Err(error @ Error::Unreachable { .. }) => last = Some(error),
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| Error::invalid(format!("no place to ask for {name}"))))
    }

    /// As [`open`](Self::open), with what a name leads to there: the first place that has it.
    pub async fn find(
        settings: &Settings,
        name: &Reference,
        which: &Which,
        credentials: &Credentials,
    ) -> Result<(Self, Fetched)> {
        let mut last = None;
        for endpoint in settings.places.to_pull(name.domain())? {
            let mirror = endpoint.mirror;
            let found = Self::find_at(settings, endpoint, name, which, credentials).await;
            match found {
                Err(error) if mirror || matches!(error, Error::Unreachable { .. }) => {
                    tracing::debug!("{name}: {error}");
                    last = Some(error);
                }
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| Error::invalid(format!("no place to ask for {name}"))))
    }

    async fn find_at(
        settings: &Settings,
        endpoint: Endpoint,
        name: &Reference,
        which: &Which,
        credentials: &Credentials,
    ) -> Result<(Self, Fetched)> {
        let none = Credentials::default();
        let credentials = if endpoint.mirror { &none } else { credentials };
        let repository = Self::at(settings, endpoint, name, credentials, Access::Pull).await?;
        let fetched = repository.manifest(which).await?;
        Ok((repository, fetched))
    }

    /// Asks the place for its version, which tells what credentials it wants. A connection that is refused by TLS is
    /// not tried again: the next place may do without.
    async fn at(
        settings: &Settings,
        endpoint: Endpoint,
        name: &Reference,
        credentials: &Credentials,
        access: Access,
    ) -> Result<Self> {
        let transport = Transport::new(settings.places.clone(), settings.patience);
        let path = name.path().to_owned();
        let authority = Authority::new(credentials.clone(), &path, access);
        let attempts = settings.attempts;
        let repository = Self { transport, endpoint, authority, path, attempts };
        repository.greet().await?;
        Ok(repository)
    }

    async fn greet(&self) -> Result<()> {
        let path = format!("{}/v2/", self.endpoint.prefix);
        let headers = HeaderMap::new();
        let mut attempts = Attempts::new(self.attempts);
        loop {
            let question = self.question(Method::GET, &path, &headers, &Content::Nothing);
            let answer = self.transport.follow(&question).await?;
            if answer.status == StatusCode::UNAUTHORIZED {
                self.authority.challenged(&answer).await;
                return Ok(());
            }
            match refused(answer).await {
                Ok(_) => return Ok(()),
                // What has no such page may have manifests all the same.
                Err(error) if error.status() == Some(404) => return Ok(()),
                Err(error) => self.wait(&mut attempts, error).await?,
            }
        }
    }

    fn question<'q>(
        &'q self,
        method: Method,
        path: &'q str,
        headers: &'q HeaderMap,
        content: &'q Content,
    ) -> Question<'q> {
        Question { method, origin: &self.endpoint.origin, path, headers, content }
    }

    /// Of this repository: `manifests/latest`.
    fn path_of(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.endpoint.prefix, self.path)
    }

    /// Asks with whatever the registry wants to see, and once more if it wants to see something else now.
    async fn ask(
        &self,
        origin: &Origin,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        content: &Content,
    ) -> Result<Answer<'_>> {
        let mut renewed = false;
        loop {
            let mut headers = headers.clone();
            if *origin == self.endpoint.origin
                && let Some(value) = self.authority.header(&self.transport, origin).await?
            {
                headers.insert(AUTHORIZATION, value);
            }
            let question =
                Question { method: method.clone(), origin, path, headers: &headers, content };
            let answer = self.transport.follow(&question).await?;
            let again = answer.status == StatusCode::UNAUTHORIZED
                && !renewed
                && answer.origin == self.endpoint.origin
                && self.authority.challenged(&answer).await;
            if !again {
                return match self.authority.lacks_credentials(&answer) {
                    true => Err(answer.no_credentials()),
                    false => refused(answer).await,
                };
            }
            renewed = true;
        }
    }

    /// [`ask`](Self::ask), again after failures that may pass.
    async fn ask_patiently(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        content: &Content,
    ) -> Result<Answer<'_>> {
        let mut attempts = Attempts::new(self.attempts);
        loop {
            let asked = self.ask(&self.endpoint.origin, method.clone(), path, headers, content);
            match asked.await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.wait(&mut attempts, error).await?,
            }
        }
    }

    /// Until the next try, if there is one.
    async fn wait(&self, attempts: &mut Attempts, error: Error) -> Result<()> {
        let Some(pause) = attempts.after(&error) else { return Err(error) };
        tracing::debug!("{}: {error}; again in {pause:?}", self.path);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Where a `Location` leads: absolute, or within the same server.
fn resolve(origin: &Origin, path: &str, location: &str) -> Result<(Origin, String)> {
    let invalid = || Error::invalid(format!("{origin}: invalid Location {location:?}"));
    if location.starts_with("//") || !location.starts_with('/') && location.contains("://") {
        let absolute = match location.strip_prefix("//") {
            Some(rest) => format!(
                "{}//{rest}",
                if origin.scheme == Scheme::Https { "https:" } else { "http:" }
            ),
            None => location.to_owned(),
        };
        let uri: Uri = absolute.parse().map_err(|_| invalid())?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        return Ok((Origin::of(&uri)?, path));
    }
    if location.contains(':') && !location.starts_with('/') {
        return Err(invalid());
    }
    let path = match location.strip_prefix('/') {
        Some(_) => location.to_owned(),
        None => {
            let folder = path.split('?').next().unwrap_or_default();
            let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        }
    };
    Ok((origin.clone(), path.split('#').next().unwrap_or_default().to_owned()))
}

/// The answer, if it is a success.
async fn refused(answer: Answer<'_>) -> Result<Answer<'_>> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let status = answer.status;
    let rest = retry::retry_after(answer.header("retry-after"), answer.header("date"));
    // Why it was refused is worth less than that it was.
    let body = answer.whole(MAX_REFUSAL).await.unwrap_or_default();
    Err(Error::Refused(Refusal::new(status, &body, rest)))
}

impl Answer<'_> {
    fn no_credentials(&self) -> Error {
        match self.failed(String::new()) {
            Error::Unreachable { method, url, .. } => Error::NoCredentials { method, url },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_absolute_or_of_the_same_server() {
        let here = Origin::of(&"https://reg.example:5000/".parse().unwrap()).unwrap();
        let to = |location: &str| {
            resolve(&here, "/v2/a/blobs/uploads/?x=1", location)
                .map(|(origin, path)| format!("{origin} {path}"))
                .map_err(|error| error.to_string())
        };
        assert_eq!(to("/v2/b?state=1").unwrap(), "https://reg.example:5000 /v2/b?state=1");
        assert_eq!(to("uuid").unwrap(), "https://reg.example:5000 /v2/a/blobs/uploads/uuid");
        assert_eq!(to("http://cdn.example/x?y").unwrap(), "http://cdn.example /x?y");
        assert_eq!(to("//cdn.example/x").unwrap(), "https://cdn.example /x");
        for bad in
            ["file:///etc/passwd", "file:/etc/passwd", "javascript:x", "ftp://x/y", "http://"]
        {
            assert!(to(bad).is_err(), "{bad}");
        }
    }
}
