//! Search, by the first version of the registries' protocol, which Docker Hub's index has and few others.

use api::registry::SearchResult;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;

use super::authority::{Credentials, escaped};
use super::content::Content;
use super::error::{Error, Result, printable};
use super::origin::{Endpoint, Origin, Scheme};
use super::transport::{Question, Transport};
use super::{MAX_REFUSAL, Settings};

const HUB: &str = "docker.io";
const INDEX: &str = "index.docker.io";
/// Of a hundred results.
const MAX_ANSWER: usize = 4 << 20;

#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    results: Option<Vec<SearchResult>>,
}

/// Asks the registry of a domain for repositories that have to do with `term`.
///
/// # Errors
/// Also that it has no search.
pub async fn search(
    settings: &Settings,
    domain: &str,
    term: &str,
    limit: usize,
    credentials: &Credentials,
) -> Result<Vec<SearchResult>> {
    let transport = Transport::new(settings.places.clone(), settings.patience);
    let place = if domain == HUB { INDEX } else { domain };
    let endpoints = settings.places.itself(place)?;
    let origin = match endpoints.as_slice() {
        [index, ..] if domain == HUB => index.origin.clone(),
        endpoints => answering(&transport, endpoints).await?,
    };
    let mut headers = HeaderMap::new();
    // What is not encrypted is for anybody's eyes.
    if credentials.has_password() && origin.scheme == Scheme::Https {
        headers.insert(AUTHORIZATION, credentials.basic()?);
    }
    let query = format!("?q={}&n={limit}", escaped(term));
    let path = format!("/v1/search{query}");
    let answer = get(&transport, &origin, &path, &headers).await.map_err(|error| match error {
        Error::Unreachable { method, url, why } => {
            Error::Unreachable { method, url: url + &query, why }
        }
        error => error,
    })?;
    if answer.status != hyper::StatusCode::OK {
        return Err(Error::invalid(format!("Unexpected status code {}", answer.status.as_u16())));
    }
    let answered: Answered = serde_json::from_slice(&answer.whole(MAX_ANSWER).await?)
        .map_err(|error| Error::invalid(format!("the answer to a search: {error}")))?;
    let mut results = answered.results.unwrap_or_default();
    results.truncate(limit);
    results.iter_mut().for_each(clean);
    Ok(results)
}

/// The first place that says anything at all, by TLS if it can.
async fn answering(transport: &Transport, endpoints: &[Endpoint]) -> Result<Origin> {
    let mut failures = Vec::new();
    for Endpoint { origin, .. } in endpoints {
        match get(transport, origin, "/v1/_ping", &HeaderMap::new()).await {
            Ok(answer) => {
                // What it says is of no interest, only that the connection can be used again.
                let _ = answer.whole(MAX_REFUSAL).await;
                return Ok(origin.clone());
            }
            Err(error) => failures.push((origin, error)),
        }
    }
    Err(Error::invalid(match failures.as_slice() {
        [(_, first), (origin, second)] => format!(
            "invalid registry endpoint \"{origin}/v1/\". HTTPS attempt: {first}. HTTP attempt: {second}"
        ),
        [(origin, error), ..] => {
            let host = origin.authority();
            format!(
                "invalid registry endpoint {origin}/v1/: {error}. If this private registry supports only HTTP or HTTPS with an unknown CA certificate, please add `--insecure-registry {host}` to the daemon's arguments. In the case of HTTPS, if you have access to the registry's CA certificate, no need for the flag; simply place the CA certificate at /etc/docker/certs.d/{host}/ca.crt"
            )
        }
        [] => "no place to search".to_owned(),
    }))
}

async fn get<'t>(
    transport: &'t Transport,
    origin: &Origin,
    path: &str,
    headers: &HeaderMap,
) -> Result<super::transport::Answer<'t>> {
    let content = &Content::Nothing;
    transport.follow(&Question { method: Method::GET, origin, path, headers, content }).await
}

/// What a terminal would take for orders is left out.
fn clean(result: &mut SearchResult) {
    result.name = printable(&result.name);
    let lines: Vec<String> = result.description.lines().map(printable).collect();
    result.description = lines.join("\n");
    // What Docker Hub says of it is not to be relied on, and Docker says no.
    result.is_automated = false;
}
