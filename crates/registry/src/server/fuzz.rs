//! Fuzz targets for what the server reads of strangers: addresses, ranges, manifests. How many inputs there are:
//! `testkit::fuzz`.

use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use oci::manifest::Document;
use oci::media_type;
use testkit::fuzz::{Random, fuzz};

use super::chunk::Chunk;
use super::manifest::Manifest;
use super::names::Repository;
use super::page::Page;
use super::query::{self, Query};
use super::range::Wanted;
use super::route::Route;

fn text(random: &mut Random, pieces: &[&str], most: usize) -> String {
    let mut bytes = random.mix(pieces, most).into_bytes();
    random.damage(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn fuzz_ranges() {
    let pieces = ["bytes=", "bytes ", "0", "-", "/", "9", "18446744073709551615", ",", " ", "77"];
    fuzz(50_000, |random| {
        let range = text(random, &pieces, 6);
        let Ok(value) = HeaderValue::from_str(&range) else { return };
        let size = random.bits() >> random.below(64);
        let asked = HeaderMap::from_iter([(RANGE, value.clone())]);
        if let Wanted::Part(part) = Wanted::of(&asked, "\"x\"", size) {
            assert!(part.start < part.end && part.end <= size, "{range} of {size}");
        }
        let length = HeaderValue::from(random.bits() >> random.below(64));
        let sent = HeaderMap::from_iter([(CONTENT_RANGE, value), (CONTENT_LENGTH, length)]);
        if let Ok(Chunk { start: Some(start), length: Some(length) }) = Chunk::parse(&sent) {
            assert!(length > 0 && start.checked_add(length - 1).is_some(), "{range}");
        }
    });
}

#[test]
fn fuzz_addresses() {
    let pieces = [
        "/v2/",
        "a",
        "/",
        "..",
        "blobs/",
        "uploads/",
        "manifests/",
        "tags/list",
        "%2e%2e",
        "?n=",
        "&last=",
        "%",
        "sha256:",
        "_catalog",
        "referrers/",
    ];
    fuzz(50_000, |random| {
        let address = text(random, &pieces, 8);
        let (path, rest) = address.split_once('?').unwrap_or((&address, ""));
        let _ = Route::parse(path);
        if let Ok(repository) = Repository::parse(path) {
            let parts = repository.as_str().split('/');
            assert!(parts.clone().all(|part| !part.is_empty() && part != ".."), "{address}");
        }
        if let Ok(query) = Query::parse(rest) {
            let _ = Page::parse(&query);
        }
        if let Some(plain) = query::decode(rest) {
            assert_eq!(query::decode(&query::encode(&plain)), Some(plain), "{address}");
        }
    });
}

#[test]
fn fuzz_manifests() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let descriptor = format!("{{\"mediaType\":\"m\",\"digest\":\"{digest}\",\"size\":1}}");
    let pieces = [
        ",\"mediaType\":\"application/vnd.oci.image.index.v1+json\"",
        ",\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"",
        ",\"config\":",
        ",\"layers\":[",
        ",\"manifests\":[",
        ",\"subject\":",
        ",\"annotations\":{\"a\":\"b\"}",
        descriptor.as_str(),
        "]",
        ",",
        "null",
    ];
    fuzz(20_000, |random| {
        let document = format!("{{\"schemaVersion\":2{}}}", text(random, &pieces, 8));
        let stated = [media_type::OCI_MANIFEST, media_type::OCI_INDEX][random.below(2)];
        if Manifest::parse(document.as_bytes(), Some(stated)).is_err() {
            return;
        }
        // What is taken as one kind is read as the other by nobody (CVE-2021-41190).
        let is_index = stated == media_type::OCI_INDEX;
        match Document::parse(document.as_bytes()) {
            Ok(Document::Index(_)) => assert!(is_index, "{document}"),
            Ok(Document::Manifest(_)) => assert!(!is_index, "{document}"),
            Err(_) => {}
        }
    });
}
