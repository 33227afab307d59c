//! What a registry is shown: nothing, a password, or a token that its token server gives for one.

use std::time::{Duration, Instant};

use api::base64;
use bytes::Bytes;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::{Method, Uri};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::challenge::{self, Challenge};
use super::content::Content;
use super::error::{Error, Result};
use super::origin::{Origin, Scheme};
use super::refused;
use super::transport::{Answer, Question, Transport};

const MAX_TOKEN: usize = 1 << 20;
/// What a token is good for where its server does not say.
const LIFETIME: Duration = Duration::from_secs(60);
const CLIENT: &str = "gantry";

/// Who asks. All empty is nobody in particular.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
    /// A refresh token, which a token server takes in a password's place.
    pub identity_token: String,
    /// Shown to the registry as it is.
    pub registry_token: String,
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Pull,
    Push,
    /// Nothing but to be known.
    Login,
}

pub(super) struct Authority {
    credentials: Credentials,
    state: Mutex<State>,
}

struct State {
    challenge: Option<Challenge>,
    scopes: Vec<String>,
    token: Option<Token>,
}

pub(super) struct Token {
    pub(super) value: String,
    until: Instant,
}

#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    refresh_token: String,
    #[serde(default)]
    expires_in: u64,
}

impl Credentials {
    pub(super) fn has_password(&self) -> bool {
        !self.username.is_empty() || !self.password.is_empty()
    }

    pub(super) fn basic(&self) -> Result<HeaderValue> {
        let pair = format!("{}:{}", self.username, self.password);
        secret(format!("Basic {}", base64::encode(pair.as_bytes())))
    }
}

/// Secrets are in no log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Authority {
    pub(super) fn new(credentials: Credentials, path: &str, access: Access) -> Self {
        let scopes = match access {
            Access::Pull => vec![format!("repository:{path}:pull")],
            Access::Push => vec![format!("repository:{path}:pull,push")],
            Access::Login => Vec::new(),
        };
        let state = State { challenge: None, scopes, token: None };
        Self { credentials, state: Mutex::new(state) }
    }

    /// One more repository to read from.
    pub(super) async fn add_source(&self, path: &str) {
        let mut state = self.state.lock().await;
        let scope = format!("repository:{path}:pull");
        if !state.scopes.contains(&scope) {
            state.scopes.push(scope);
            state.token = None;
        }
    }

    /// Takes up what a registry wants to see. `false` if that is what it was shown, or nothing known here.
    pub(super) async fn challenged(&self, answer: &Answer<'_>) -> bool {
        let headers = answer.headers.get_all(WWW_AUTHENTICATE).iter();
        let wanted = challenge::best(headers.filter_map(|value| value.to_str().ok()));
        let Some(wanted) = wanted else { return false };
        let mut state = self.state.lock().await;
        let is_new = state.challenge.as_ref() != Some(&wanted);
        // A token may have been taken back.
        let had_token = state.token.take().is_some();
        state.challenge = Some(wanted);
        is_new || had_token
    }

    /// Whether it was refused for want of a password that nobody gave.
    pub(super) fn lacks_credentials(&self, answer: &Answer<'_>) -> bool {
        let is_basic = |state: &State| state.challenge == Some(Challenge::Basic);
        answer.status == hyper::StatusCode::UNAUTHORIZED
            && !self.credentials.has_password()
            && self.state.try_lock().is_ok_and(|state| is_basic(&state))
    }

    pub(super) async fn header(
        &self,
        transport: &Transport,
        registry: &Origin,
    ) -> Result<Option<HeaderValue>> {
        if !self.credentials.registry_token.is_empty() {
            return secret(format!("Bearer {}", self.credentials.registry_token)).map(Some);
        }
        // Held while a token is fetched, so that of many requests one fetches it.
        let mut state = self.state.lock().await;
        match &state.challenge {
            None => Ok(None),
            Some(Challenge::Basic) if self.credentials.has_password() => {
                self.credentials.basic().map(Some)
            }
            Some(Challenge::Basic) => Ok(None),
            Some(Challenge::Bearer { realm, service }) => {
                if let Some(token) =
                    state.token.as_ref().filter(|token| token.until > Instant::now())
                {
                    return secret(format!("Bearer {}", token.value)).map(Some);
                }
                let given = self.fetch(transport, registry, realm, service, &state.scopes).await?;
                let token = given.into_token()?;
                let header = secret(format!("Bearer {}", token.value))?;
                state.token = Some(token);
                Ok(Some(header))
            }
        }
    }

    /// The refresh token that a token server gives in a password's place, if it does.
    pub(super) async fn identity(
        &self,
        transport: &Transport,
        registry: &Origin,
    ) -> Result<String> {
        let state = self.state.lock().await;
        match &state.challenge {
            Some(Challenge::Bearer { realm, service }) => {
                let given = self.fetch(transport, registry, realm, service, &state.scopes).await?;
                Ok(given.refresh_token)
            }
            _ => Ok(String::new()),
        }
    }

    async fn fetch(
        &self,
        transport: &Transport,
        registry: &Origin,
        realm: &str,
        service: &str,
        scopes: &[String],
    ) -> Result<Given> {
        let invalid = || Error::invalid(format!("invalid token realm {realm:?}"));
        let uri: Uri = realm.parse().map_err(|_| invalid())?;
        let origin = Origin::of(&uri)?;
        let known = self.credentials.has_password() || !self.credentials.identity_token.is_empty();
        if known && registry.scheme == Scheme::Https && origin.scheme == Scheme::Http {
            return Err(Error::invalid(format!(
                "the token server {origin} is not encrypted: no credentials for it"
            )));
        }
        let mut form = Form::default();
        form.add("service", service);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let base = uri.path_and_query().map_or("/", |path| path.as_str());
        let (method, path, content) = if self.credentials.identity_token.is_empty() {
            scopes.iter().for_each(|scope| form.add("scope", scope));
            if self.credentials.has_password() {
                form.add("account", &self.credentials.username);
                if scopes.is_empty() {
                    form.add("offline_token", "true");
                    form.add("client_id", CLIENT);
                }
                headers.insert(AUTHORIZATION, self.credentials.basic()?);
            }
            let separator = if base.contains('?') { '&' } else { '?' };
            (Method::GET, format!("{base}{separator}{}", form.0), Content::Nothing)
        } else {
            form.add("client_id", CLIENT);
            form.add("grant_type", "refresh_token");
            form.add("refresh_token", &self.credentials.identity_token);
            form.add("scope", &scopes.join(" "));
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, kind);
            (Method::POST, base.to_owned(), Content::Bytes(Bytes::from(form.0)))
        };
        let question =
            Question { method, origin: &origin, path: &path, headers: &headers, content: &content };
        let answer = refused(transport.ask(&question).await?).await?;
        let document = answer.whole(MAX_TOKEN).await?;
        serde_json::from_slice(&document)
            .map_err(|error| Error::invalid(format!("unable to decode token response: {error}")))
    }
}

impl Given {
    pub(super) fn into_token(self) -> Result<Token> {
        let value = if self.token.is_empty() { self.access_token } else { self.token };
        if value.is_empty() {
            return Err(Error::invalid(
                "authorization server did not include a token in the response",
            ));
        }
        let lifetime = Duration::from_secs(self.expires_in.min(24 * 60 * 60)).max(LIFETIME);
        // Not to the last moment: requests take a while.
        Ok(Token { value, until: Instant::now() + lifetime * 3 / 4 })
    }
}

fn secret(text: String) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::invalid("credentials that no header can hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `application/x-www-form-urlencoded`.
#[derive(Default)]
struct Form(String);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&escaped(value));
    }
}

/// For a query.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_escaped_and_empty_values_are_left_out() {
        let mut form = Form::default();
        form.add("service", "reg.example");
        form.add("scope", "repository:a/b:pull,push");
        form.add("account", "");
        assert_eq!(form.0, "service=reg.example&scope=repository%3Aa%2Fb%3Apull%2Cpush");
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials { password: "hunter2".into(), ..Credentials::default() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
        assert!(!format!("{:?}", credentials.basic().unwrap()).contains("Basic"));
    }
}
