//! Fuzz targets for what the client reads of strangers: challenges, tokens, documents, names, ranges, addresses.
//!
//! Inputs are pieces of well-formed ones, mixed, cut and damaged; each is looked at by what holds for every input. How many
//! there are: `testkit::fuzz`.

use hyper::StatusCode;
use oci::manifest::Document;
use oci::{Platform, Reference};
use testkit::fuzz::{Random, fuzz};

use super::authority::Given;
use super::blobs::skipped;
use super::challenge::{self, Challenge};
use super::error::Refusal;
use super::origin::Origin;
use super::proxy::Proxies;
use super::uploads::arrived;
use super::{resolve, retry};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A text of the pieces, damaged.
fn text(random: &mut Random, pieces: &[&str], most: usize) -> String {
    let mut bytes = random.mix(pieces, most).into_bytes();
    random.damage(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn fuzz_challenges() {
    let pieces = [
        "Bearer ",
        "Basic ",
        "realm=",
        "service=",
        "\"https://a/t\"",
        ",",
        "\"",
        "\\",
        "=",
        " ",
        "x",
    ];
    fuzz(20_000, |random| {
        let header = text(random, &pieces, 12);
        if let Some(Challenge::Bearer { realm, .. }) = challenge::best([header.as_str()]) {
            assert!(!realm.is_empty(), "{header}");
        }
        // What is sound is found behind whatever else there is.
        let sound = "Bearer realm=\"https://a/t\",service=\"s\"";
        let found = challenge::best([header.as_str(), sound]);
        assert!(matches!(found, Some(Challenge::Bearer { .. })), "{header}");
    });
}

#[test]
fn fuzz_tokens() {
    let pieces = [
        "{",
        "}",
        "\"token\":",
        "\"access_token\":",
        "\"expires_in\":",
        "\"refresh_token\":",
        "\"t\"",
        "\"\"",
        ",",
        "300",
        "-1",
        "99999999999999999999",
        "null",
        "[",
    ];
    let whole = "{\"token\":\"t\",\"expires_in\":300}";
    fuzz(20_000, |random| {
        let answer = match random.below(2) {
            0 => text(random, &pieces, 10),
            _ => text(random, &[whole], 1),
        };
        let given = serde_json::from_str::<Given>(&answer);
        if let Some(Ok(token)) = given.ok().map(Given::into_token) {
            assert!(!token.value.is_empty(), "{answer}");
        }
    });
}

#[test]
fn fuzz_documents() {
    let descriptor = format!("{{\"mediaType\":\"m\",\"digest\":\"{DIGEST}\",\"size\":1}}");
    let pieces = [
        "{\"schemaVersion\":2",
        ",\"mediaType\":\"application/vnd.oci.image.index.v1+json\"",
        ",\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\"",
        ",\"config\":",
        ",\"layers\":[",
        ",\"manifests\":[",
        ",\"fsLayers\":[]",
        ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\"}",
        descriptor.as_str(),
        "]",
        "}",
        ",",
        "null",
    ];
    fuzz(20_000, |random| {
        let mut document = text(random, &pieces, 10);
        if random.below(2) == 0 {
            document = format!("{}{}{}", pieces[0], text(random, &pieces[1..], 8), "}");
        }
        match Document::parse(document.as_bytes()) {
            // CVE-2021-41190: no reader may take it for the other.
            Ok(Document::Manifest(_)) => {
                assert!(!document.contains("\"manifests\":["), "{document}")
            }
            Ok(Document::Index(index)) => {
                assert!(!document.contains("\"layers\":["), "{document}");
                for chosen in index.candidates(&Platform::host()) {
                    assert!(index.manifests.contains(chosen), "{document}");
                }
            }
            Err(_) => {}
        }
    });
}

#[test]
fn fuzz_references() {
    let pieces = [
        "a",
        "b.example",
        "localhost",
        ":5000",
        "/",
        "library",
        "@",
        DIGEST,
        ":",
        "1.0",
        "..",
        "_",
        "-",
        "A",
        "[::1]",
    ];
    fuzz(50_000, |random| {
        let name = text(random, &pieces, 8);
        let Ok(reference) = Reference::parse(&name) else { return };
        let full = reference.to_string();
        assert_eq!(Reference::parse(&full).as_ref(), Ok(&reference), "{name}");
        assert!(reference.path().split('/').all(|part| !part.is_empty() && part != ".."), "{name}");
    });
}

#[test]
fn fuzz_ranges() {
    let pieces =
        ["bytes ", "bytes=", "0", "-", "/", "*", "9", "18446744073709551615", " ", "123", "+"];
    fuzz(50_000, |random| {
        let range = text(random, &pieces, 7);
        let at = random.bits() >> random.below(64);
        if let Ok(skipped) = skipped(true, &range, at) {
            assert_eq!(skipped, 0, "{range}");
            assert!(range.contains(&at.to_string()) || range.contains('+'), "{range} {at}");
        }
        assert_eq!(skipped(false, &range, at), Ok(at));
        if let Some(count) = arrived(&range).filter(|count| *count > 0) {
            assert!(range.contains(&(count - 1).to_string()) || range.contains('+'), "{range}");
        }
        let now = "Sun, 06 Nov 1994 12:00:00 GMT";
        let date = text(random, &["Sun, 06 Nov 1994 ", "12:00:09", " GMT", "99", "-"], 4);
        let rest = retry::retry_after(Some(&date), Some(now));
        assert!(rest.is_none() || date.bytes().any(|byte| byte.is_ascii_digit()), "{date}");
    });
}

#[test]
fn fuzz_addresses() {
    let here = Origin::of(&"https://reg.example:5000/".parse().unwrap()).unwrap();
    let pieces = [
        "http://",
        "https://",
        "file://",
        "//",
        "/",
        "v2/",
        "..",
        "?",
        "#",
        "a.example",
        ":80",
        "@",
        "%2e",
        ":",
        "\\",
        "[::1]",
        "user:secret@",
    ];
    fuzz(50_000, |random| {
        let address = text(random, &pieces, 8);
        if let Ok((origin, path)) = resolve(&here, "/v2/a/blobs/uploads/", &address) {
            assert!(origin.to_string().starts_with("http"), "{address}");
            assert!(!origin.host.is_empty() && !path.contains('#'), "{address}");
        }
        // Whatever the address is, its credentials are in no log.
        let proxies = Proxies::new(&address, &format!("http://user:secret@{address}"), "");
        assert!(!format!("{proxies:?}").contains("secret@"), "{address}");
        let _ = Proxies::new("", "p:1", &address).of(&here);
        let refusal = Refusal::new(StatusCode::NOT_FOUND, address.as_bytes(), None);
        assert!(!refusal.text.chars().any(char::is_control), "{address}");
    });
}
