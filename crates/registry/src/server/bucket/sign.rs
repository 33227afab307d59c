//! Requests signed as AWS has it (Signature Version 4). Pure: time is an input.

use std::fmt::Write as _;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use ring::hmac;
use sha2::{Digest as _, Sha256};

use super::credentials::Credentials;
use crate::server::names::hex;
use crate::server::query::encode;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as far as it is signed. Nothing of its path needs an escape.
pub(super) struct Unsigned<'r> {
    pub(super) method: &'r Method,
    pub(super) host: &'r str,
    pub(super) path: &'r str,
    pub(super) query: &'r [(&'static str, String)],
    pub(super) headers: &'r [(&'static str, String)],
    pub(super) body: &'r [u8],
}

impl Unsigned<'_> {
    /// Path and query, as they are signed.
    pub(super) fn target(&self) -> String {
        let query = self.canonical_query();
        if query.is_empty() { self.path.to_owned() } else { format!("{}?{query}", self.path) }
    }

    /// Its headers and those that prove who asks.
    pub(super) fn sign(
        &self,
        credentials: &Credentials,
        region: &str,
        now: Timestamp,
    ) -> HeaderMap {
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{region}/s3/aws4_request", &time[..8]);
        let body_hash = hex(&Sha256::digest(self.body));
        let mut headers = self.headers.to_vec();
        headers.push(("host", self.host.to_owned()));
        headers.push(("x-amz-content-sha256", body_hash.clone()));
        headers.push(("x-amz-date", time.clone()));
        if let Some(token) = &credentials.token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let request = self.canonical(&headers, &names, &body_hash);
        let text =
            format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
        let key = signing_key(&credentials.secret, &time[..8], region);
        let signature = hex(mac(&key, &text).as_ref());
        let proof = format!(
            "{ALGORITHM} Credential={}/{scope},SignedHeaders={names},Signature={signature}",
            credentials.key
        );
        headers.retain(|(name, _)| *name != "host");
        let mut map: HeaderMap = headers
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
            })
            .collect();
        if let Ok(proof) = HeaderValue::from_str(&proof) {
            map.insert(AUTHORIZATION, proof);
        }
        map
    }

    fn canonical(&self, headers: &[(&str, String)], names: &str, body_hash: &str) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.method, self.path, self.canonical_query());
        for (name, value) in headers {
            let _ = writeln!(text, "{name}:{}", value.trim());
        }
        text + &format!("\n{names}\n{body_hash}")
    }

    fn canonical_query(&self) -> String {
        let pair = |(name, value): &(&str, String)| format!("{}={}", encode(name), encode(value));
        let mut pairs: Vec<String> = self.query.iter().map(pair).collect();
        pairs.sort();
        pairs.join("&")
    }
}

fn signing_key(secret: &str, day: &str, region: &str) -> hmac::Key {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    [day, region, "s3", "aws4_request"]
        .into_iter()
        .fold(first, |key, part| hmac::Key::new(hmac::HMAC_SHA256, mac(&key, part).as_ref()))
}

fn mac(key: &hmac::Key, text: &str) -> hmac::Tag {
    hmac::sign(key, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of a GET of an object.
    #[test]
    fn a_request_is_signed_as_the_published_example_is() {
        let credentials = Credentials {
            key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let request = Unsigned {
            method: &Method::GET,
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: &[],
            headers: &[("range", "bytes=0-9".to_owned())],
            body: b"",
        };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let headers = request.sign(&credentials, "us-east-1", now);
        let proof = headers[AUTHORIZATION].to_str().unwrap();
        assert!(
            proof.ends_with(
                "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            "{proof}"
        );
    }

    #[test]
    fn queries_are_sorted_and_escaped() {
        let request = Unsigned {
            method: &Method::GET,
            host: "h",
            path: "/b",
            query: &[("prefix", "a/b".to_owned()), ("list-type", "2".to_owned())],
            headers: &[],
            body: b"",
        };
        assert_eq!(request.target(), "/b?list-type=2&prefix=a%2Fb");
    }
}
