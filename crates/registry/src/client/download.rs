//! A file from anywhere, for builds that add one by its address.

use bytes::Bytes;
use hyper::header::{CONTENT_DISPOSITION, HeaderMap, LAST_MODIFIED};
use hyper::{Method, Uri};

use super::content::Content;
use super::error::{Error, Refusal, Result};
use super::origin::{Origin, Places};
use super::transport::{Answer, Patience, Question, Transport};

/// Of an answer that is no success.
const MAX_REFUSAL: usize = 64 << 10;

/// What a server says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Download {
    /// The server's own word, else the last part of the address.
    pub name: String,
    /// As HTTP writes times.
    pub last_modified: Option<String>,
}

/// Gets a file, piece by piece, by way of the proxies that `places` knows; more than `most` bytes are an error. Redirects are followed, never away from encryption.
///
/// # Errors
/// An address that is none, a server that does not have it or stalls, what `take` refuses.
pub async fn download(
    places: Places,
    url: &str,
    most: u64,
    mut take: impl FnMut(Bytes) -> Result<()>,
) -> Result<Download> {
    let uri: Uri = url.parse().map_err(|_| Error::invalid(format!("invalid URL {url}")))?;
    let transport = Transport::new(places, Patience::default());
    let origin = Origin::of(&uri)?;
    let question = Question {
        method: Method::GET,
        origin: &origin,
        path: uri.path_and_query().map_or("/", |path| path.as_str()),
        headers: &HeaderMap::new(),
        content: &Content::Nothing,
    };
    let mut answer = transport.follow(&question).await?;
    if !answer.status.is_success() {
        let status = answer.status;
        let body = answer.whole(MAX_REFUSAL).await.unwrap_or_default();
        let mut refusal = Refusal::new(status, &body, None);
        refusal.text = format!("invalid response status {}", status.as_u16());
        return Err(Error::Refused(refusal));
    }
    let file = Download {
        name: name(&answer, uri.path()),
        last_modified: answer.header(LAST_MODIFIED).map(str::to_owned),
    };
    let mut came = 0;
    while let Some(chunk) = answer.chunk().await? {
        came += chunk.len() as u64;
        if came > most {
            return Err(Error::invalid(format!("{url}: more than {most} bytes")));
        }
        take(chunk)?;
    }
    Ok(file)
}

/// Never a path: what a server says is a name in one folder.
fn name(answer: &Answer<'_>, path: &str) -> String {
    let said = answer.header(CONTENT_DISPOSITION).and_then(|text| {
        let name = text.split(';').find_map(|part| part.trim().strip_prefix("filename="))?;
        Some(name.trim_matches('"').to_owned())
    });
    let is_name = |name: &String| {
        !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".."
    };
    let last = || path.rsplit('/').next().unwrap_or_default().to_owned();
    said.filter(is_name).or_else(|| Some(last()).filter(is_name)).unwrap_or("download".into())
}
