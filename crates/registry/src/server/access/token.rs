//! Tokens of somebody else's making (Docker's registry token specification; RFC 7519): what the bearer may do here.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;

use super::super::names::Repository;
use super::config;
use super::identity::{Action, Grant, Identity};
use super::keys::{Keys, decode};

/// Longer ones are not looked at.
const MAX_TOKEN: usize = 32 << 10;
/// Between two clocks.
const LEEWAY: u64 = 60;

pub(super) struct Tokens {
    realm: String,
    service: String,
    issuer: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: f64,
    #[serde(default)]
    nbf: f64,
    #[serde(default)]
    access: Option<Vec<Grant>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Tokens {
    pub(super) fn open(config: &config::Token) -> Result<Self, String> {
        for text in [&config.realm, &config.service] {
            let is_plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
            if text.is_empty() || !text.chars().all(is_plain) {
                return Err(format!("token: {text:?} cannot be told to clients"));
            }
        }
        Ok(Self {
            realm: config.realm.clone(),
            service: config.service.clone(),
            issuer: config.issuer.clone(),
            keys: Keys::open(&config.keys)?,
        })
    }

    /// `None` of a token that is none of ours.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Option<Identity> {
        let Some(header) = headers.get(AUTHORIZATION) else { return Some(Identity::Anonymous) };
        let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        self.grants(token.trim(), now).map(Identity::Granted)
    }

    fn grants(&self, token: &str, now: u64) -> Option<Vec<Grant>> {
        let (message, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_TOKEN)?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let id = header.kid.as_deref();
        let is_ours = header.crit.is_none()
            && self.keys.verify(id, &header.alg, message.as_bytes(), &decode(signature)?);
        if !is_ours {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
        claims.hold(&self.issuer, &self.service, now).then(|| claims.access.unwrap_or_default())
    }

    pub(super) fn challenge(&self, wanted: Option<(&Repository, Action)>) -> String {
        let (realm, service) = (&self.realm, &self.service);
        let Some((repository, action)) = wanted else {
            return format!("Bearer realm=\"{realm}\",service=\"{service}\"");
        };
        // Who pushes asks what is there already.
        let actions = if action == Action::Push { "pull,push" } else { action.as_str() };
        format!(
            "Bearer realm=\"{realm}\",service=\"{service}\",scope=\"repository:{repository}:{actions}\""
        )
    }
}

impl Claims {
    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    fn hold(&self, issuer: &str, service: &str, now: u64) -> bool {
        let is_audience = match &self.aud {
            Audience::One(one) => one == service,
            Audience::Many(all) => all.iter().any(|one| one == service),
        };
        let (now, leeway) = (now as f64, LEEWAY as f64);
        self.iss == issuer && is_audience && now < self.exp + leeway && now + leeway >= self.nbf
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn encode(bytes: &[u8]) -> String {
        api::base64::encode(bytes).replace('+', "-").replace('/', "_").replace('=', "")
    }

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn tokens() -> Tokens {
        let x = encode(pair().public_key().as_ref());
        let set = json!({"keys": [{"kty": "oct", "k": "x"}, {"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]});
        Tokens {
            realm: "https://auth.example/token".to_owned(),
            service: "here".to_owned(),
            issuer: "auth".to_owned(),
            keys: Keys::parse(set.to_string().as_bytes()).unwrap(),
        }
    }

    fn sign(header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = pair().sign(message.as_bytes());
        format!("{message}.{}", encode(signature.as_ref()))
    }

    fn claims() -> Value {
        json!({
            "iss": "auth", "aud": "here", "exp": NOW + 300, "nbf": NOW - 1,
            "access": [{"type": "repository", "name": "a", "actions": ["pull"]}],
        })
    }

    fn header() -> Value {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": "1"})
    }

    #[test]
    fn a_token_grants_what_it_says() {
        let grants = tokens().grants(&sign(&header(), &claims()), NOW).unwrap();
        let name = |text| Repository::parse(text).unwrap();
        assert!(grants[0].covers(&name("a"), Action::Pull));
        assert!(
            !grants[0].covers(&name("a"), Action::Push)
                && !grants[0].covers(&name("b"), Action::Pull)
        );
        let mut many = claims();
        many["aud"] = json!(["other", "here"]);
        many["access"] = Value::Null;
        assert_eq!(tokens().grants(&sign(&json!({"alg": "EdDSA"}), &many), NOW), Some(vec![]));
    }

    #[test]
    fn a_token_that_lies_is_not_believed() {
        let with = |key: &str, value: Value| {
            let mut claims = claims();
            claims[key] = value;
            sign(&header(), &claims)
        };
        let good = sign(&header(), &claims());
        let mut parts = good.split('.');
        let (first, _, last) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
        let raised = encode(claims().to_string().replace("pull", "*").as_bytes());
        let unsigned = encode(br#"{"alg":"none"}"#);
        let bad = [
            with("iss", json!("other")),
            with("aud", json!("there")),
            with("exp", json!(NOW - 61)),
            with("exp", Value::Null),
            with("nbf", json!(NOW + 61)),
            with("access", json!("all")),
            sign(&json!({"alg": "EdDSA", "kid": "2"}), &claims()),
            sign(&json!({"alg": "RS256"}), &claims()),
            sign(&json!({"alg": "HS256"}), &claims()),
            sign(&json!({"alg": "EdDSA", "crit": ["exp"]}), &claims()),
            format!("{first}.{raised}.{last}"),
            format!("{unsigned}.{raised}."),
            good[..good.len() - 2].to_owned(),
            "..".to_owned(),
            String::new(),
            "x".repeat(MAX_TOKEN + 1),
        ];
        for token in bad {
            assert_eq!(tokens().grants(&token, NOW), None, "{token:.200}");
        }
    }

    #[test]
    fn a_challenge_says_what_to_ask_for() {
        let name = Repository::parse("a/b").unwrap();
        assert_eq!(
            tokens().challenge(Some((&name, Action::Push))),
            "Bearer realm=\"https://auth.example/token\",service=\"here\",scope=\"repository:a/b:pull,push\""
        );
    }

    proptest! {
        #[test]
        fn no_token_is_too_odd(at in 0usize..400, byte in 32u8..127) {
            let good = sign(&header(), &claims());
            let mut bytes = good.clone().into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let token = String::from_utf8(bytes).unwrap();
            // The last digit of a signature has bits that mean nothing.
            prop_assert!(token == good || at + 1 >= good.len() || tokens().grants(&token, NOW).is_none());
        }
    }
}
