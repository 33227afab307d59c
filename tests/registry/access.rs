//! Who may do what: passwords, tokens, rules, TLS.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::http::{Reply, refused};
use super::{OCI_MANIFEST, Registry, digest};

/// bcrypt of "secret", at the lowest cost.
const SECRET: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

const ANN: &str = "Basic YW5uOnNlY3JldA==";
const BOB: &str = "Basic Ym9iOnNlY3JldA==";

pub(super) fn users(folder: &Path) -> String {
    let file = folder.join("users");
    fs::write(&file, format!("ann:{SECRET}\nbob:{SECRET}\n")).unwrap();
    file.to_string_lossy().into_owned()
}

fn ask(registry: &Registry, who: Option<&str>, method: &str, path: &str, body: &[u8]) -> Reply {
    let headers: Vec<_> = who.map(|who| ("Authorization", who)).into_iter().collect();
    registry.connect().ask(method, path, &headers, body)
}

#[test]
fn without_a_password_nothing_is_told() {
    let folder = TempDir::new().unwrap();
    let registry = Registry::start_with(&["--htpasswd", &users(folder.path())]);
    let place = "/v2/a/blobs/uploads/";
    let wrong = "Basic YW5uOndyb25n";
    for who in [None, Some(wrong), Some("Bearer x"), Some("nonsense")] {
        for (method, path) in [
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/metrics"),
            ("POST", place),
            ("GET", "/v2/a/tags/list"),
        ] {
            let reply = ask(&registry, who, method, path, b"");
            assert_eq!(reply.refusal(), refused(401, "UNAUTHORIZED"), "{who:?} {path}");
            assert_eq!(reply.header("www-authenticate"), "Basic realm=\"Gantry registry\"");
        }
    }
    assert_eq!(registry.get("/healthz").status, 200);
    for _ in 0..2 {
        assert_eq!(ask(&registry, Some(ANN), "GET", "/v2/", b"").status, 200);
    }
    assert_eq!(ask(&registry, Some(ANN), "POST", place, b"").status, 202);
}

#[test]
fn rules_bind_users_to_repositories() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("config.json");
    let rules = json!({"htpasswd": users(folder.path()), "rules": [
        {"repositories": ["team/*"], "users": ["ann"], "actions": ["pull", "push", "delete"]},
        {"repositories": ["public/*"], "users": ["ann"], "actions": ["push"]},
        {"repositories": ["public/*"], "users": ["anonymous"], "actions": ["pull"]},
    ]});
    fs::write(&config, rules.to_string()).unwrap();
    let registry = Registry::start_with(&["--config", &config.to_string_lossy()]);
    let push = |who, repository: &str| {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(b"x"));
        ask(&registry, who, "POST", &path, b"x")
    };
    assert_eq!(push(Some(ANN), "team/app").status, 201);
    assert_eq!(push(Some(ANN), "public/app").status, 201);
    assert_eq!(push(Some(ANN), "other/app").refusal(), refused(403, "DENIED"));
    assert_eq!(push(Some(BOB), "team/app").refusal(), refused(403, "DENIED"));
    assert_eq!(push(None, "public/app").refusal(), refused(401, "UNAUTHORIZED"));
    let blob = |repository: &str| format!("/v2/{repository}/blobs/{}", digest(b"x"));
    assert_eq!(ask(&registry, None, "GET", &blob("public/app"), b"").body, b"x");
    assert_eq!(ask(&registry, Some(BOB), "GET", &blob("public/app"), b"").status, 200);
    assert_eq!(ask(&registry, Some(BOB), "GET", &blob("team/app"), b"").status, 403);
    assert_eq!(ask(&registry, Some(ANN), "DELETE", &blob("public/app"), b"").status, 403);
    // What one may not pull cannot be mounted either.
    let stolen = json!({"htpasswd": users(folder.path()), "rules": [
        {"repositories": ["bob/*"], "users": ["bob"], "actions": ["*"]},
    ]});
    fs::write(&config, stolen.to_string()).unwrap();
    let other = registry.beside(&["--config", &config.to_string_lossy()]);
    let mount = format!("/v2/bob/app/blobs/uploads/?mount={}&from=team/app", digest(b"x"));
    assert_eq!(ask(&other, Some(BOB), "POST", &mount, b"").status, 202);
    assert_eq!(ask(&other, Some(BOB), "GET", &blob("bob/app"), b"").status, 404);
}

#[test]
fn a_list_of_repositories_has_those_that_one_may_pull() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("config.json");
    let rules = json!({"htpasswd": users(folder.path()), "rules": [
        {"repositories": ["bob/**"], "users": ["bob"], "actions": ["pull"]},
        {"repositories": ["**"], "users": ["ann"], "actions": ["*"]},
    ]});
    fs::write(&config, rules.to_string()).unwrap();
    let open = Registry::start();
    for name in ["bob/a", "team/a"] {
        open.push_image(name, "v1", "layer");
    }
    let registry = open.beside(&["--config", &config.to_string_lossy()]);
    let listed =
        |who| ask(&registry, who, "GET", "/v2/_catalog", b"").json()["repositories"].clone();
    assert_eq!(listed(Some(ANN)), json!(["bob/a", "team/a"]));
    assert_eq!(listed(Some(BOB)), json!(["bob/a"]));
}

#[test]
fn tokens_are_asked_for_by_scope() {
    let folder = TempDir::new().unwrap();
    let (config, keys) = (folder.path().join("config.json"), folder.path().join("keys.json"));
    // RFC 8037's example of a key.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    fs::write(&keys, json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).to_string())
        .unwrap();
    let token = json!({"token": {"realm": "https://auth.example/token", "service": "here", "issuer": "auth", "keys": keys}});
    fs::write(&config, token.to_string()).unwrap();
    let registry = Registry::start_with(&["--config", &config.to_string_lossy()]);
    let challenge = |method: &str, path: &str| {
        let reply = registry.ask(method, path);
        assert_eq!(reply.status, 401, "{path}");
        reply.header("www-authenticate").to_owned()
    };
    let bearer = "Bearer realm=\"https://auth.example/token\",service=\"here\"";
    assert_eq!(challenge("GET", "/v2/"), bearer);
    assert_eq!(
        challenge("GET", "/v2/a/b/tags/list"),
        format!("{bearer},scope=\"repository:a/b:pull\"")
    );
    assert_eq!(
        challenge("POST", "/v2/a/blobs/uploads/"),
        format!("{bearer},scope=\"repository:a:pull,push\"")
    );
    assert_eq!(
        challenge("DELETE", "/v2/a/manifests/x"),
        format!("{bearer},scope=\"repository:a:delete\"")
    );
    // That RFC's signature, of other claims.
    let forged = "Bearer eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(ask(&registry, Some(forged), "GET", "/v2/", b"").status, 401);
}

#[test]
fn content_is_served_through_tls() {
    let folder = TempDir::new().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
    fs::write(&key, pair.serialize_pem()).unwrap();
    let [cert_flag, key_flag] = [("--tls-cert", &cert), ("--tls-key", &key)]
        .map(|(flag, path)| format!("{flag}={}", path.display()));
    let plain = Registry::start();
    plain.push_image("a", "v1", "layer");
    let registry = plain.beside(&[&cert_flag, &key_flag]);
    let mut client = Command::new("openssl");
    client.args(["s_client", "-quiet", "-verify_return_error", "-CAfile"]).arg(&cert);
    client.args(["-connect", &registry.address, "-verify_ip", "127.0.0.1"]);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = client.spawn().unwrap();
    let request = b"GET /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.stdin.as_mut().unwrap().write_all(request).unwrap();
    let mut answer = String::new();
    client.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    client.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains(OCI_MANIFEST), "{answer}");
    let error = testkit::engine::finish(Command::new(testkit::engine::binary("gantry")).args([
        "registry",
        "serve",
        "--address=127.0.0.1:0",
        &cert_flag,
    ]))
    .fails(1);
    assert!(error.contains("TLS needs --tls-cert and --tls-key"), "{error}");
}
