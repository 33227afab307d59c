//! What a plugin is told: Docker's `authorization.Request`, fields in its order, empty ones left out.

use std::collections::BTreeMap;

use api::base64;
use bytes::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;

/// Who asks, where the connection says so.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// The common name of a verified client's certificate.
    pub name: String,
    /// `TLS`, or nothing.
    pub method: &'static str,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Exchange {
    #[serde(skip_serializing_if = "String::is_empty")]
    user: String,
    #[serde(rename = "UserAuthNMethod", skip_serializing_if = "str::is_empty")]
    user_authn_method: &'static str,
    request_method: String,
    request_uri: String,
    /// Base64, as Go writes bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    request_body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    request_headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_zero")]
    response_status_code: u16,
    #[serde(skip_serializing_if = "String::is_empty")]
    response_body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    response_headers: BTreeMap<String, String>,
}

impl Exchange {
    /// `uri` is the path as it is understood here, and the query; `body` what the handler will read of it.
    pub fn request(
        user: User,
        method: &str,
        uri: String,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let mut request_headers = spelled(headers);
        for secret in ["X-Registry-Auth", "X-Registry-Config", "Host"] {
            request_headers.remove(secret);
        }
        Self {
            user: user.name,
            user_authn_method: user.method,
            request_method: method.to_owned(),
            request_uri: uri,
            request_body: base64::encode(body),
            request_headers,
            ..Self::default()
        }
    }

    /// `body` is empty for one that is streamed: it cannot be known before it is sent.
    pub fn answered(&mut self, status: u16, headers: &HeaderMap, body: &Bytes) {
        self.response_status_code = status;
        self.response_headers = spelled(headers);
        self.response_body = base64::encode(body);
    }

    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("strings and maps of strings serialise").into()
    }
}

fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// Go's spelling (`Content-Type`); of several values the last one, as Docker tells it.
fn spelled(headers: &HeaderMap) -> BTreeMap<String, String> {
    let value =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, text)| (title_case(name.as_str()), value(text))).collect()
}

fn title_case(name: &str) -> String {
    let mut upper = true;
    let letter = |c: char| {
        let spelled = if upper { c.to_ascii_uppercase() } else { c };
        upper = c == '-';
        spelled
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    /// As dockerd 26 told a plugin of the same request.
    #[test]
    fn a_request_is_told_as_dockerd_tells_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "x"),
            ("accept", "*/*"),
            ("content-length", "13"),
            ("content-type", "application/json"),
            ("user-agent", "curl/8.14.1"),
            ("x-registry-auth", "secret"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let uri = "/v1.45/containers/create?name=x".to_owned();
        let mut exchange =
            Exchange::request(User::default(), "POST", uri, &headers, br#"{"Image":"q"}"#);
        let told = |exchange: &Exchange| String::from_utf8(exchange.encode().into()).unwrap();
        let request = r#"{"RequestMethod":"POST","RequestUri":"/v1.45/containers/create?name=x","RequestBody":"eyJJbWFnZSI6InEifQ==","RequestHeaders":{"Accept":"*/*","Content-Length":"13","Content-Type":"application/json","User-Agent":"curl/8.14.1"}"#;
        assert_eq!(told(&exchange), format!("{request}}}"));
        let mut headers = HeaderMap::new();
        headers.insert("api-version", HeaderValue::from_static("1.45"));
        exchange.answered(201, &headers, &Bytes::from_static(b"{}\n"));
        assert_eq!(
            told(&exchange),
            format!(
                r#"{request},"ResponseStatusCode":201,"ResponseBody":"e30K","ResponseHeaders":{{"Api-Version":"1.45"}}}}"#
            )
        );
    }
}
