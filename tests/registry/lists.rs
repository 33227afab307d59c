//! Tags, repositories and referrers, in pages.

use serde_json::{Value, json};

use super::http::{Reply, refused};
use super::{OCI_INDEX, OCI_MANIFEST, Registry, digest};

/// Follows the links from page to page.
#[track_caller]
fn pages(registry: &Registry, first: &str, key: &str) -> Vec<Value> {
    let (mut pages, mut path) = (Vec::new(), first.to_owned());
    loop {
        let reply = registry.get(&path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        pages.push(reply.json()[key].clone());
        let Some(link) = reply.find("link") else { return pages };
        let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        path = next.to_owned();
    }
}

#[test]
fn tags_come_sorted_and_in_pages() {
    let registry = Registry::start();
    assert_eq!(registry.get("/v2/a/tags/list").refusal(), refused(404, "NAME_UNKNOWN"));
    for tag in ["c", "a", "B", "b", "d"] {
        registry.push_image("a", tag, "layer");
    }
    let all = registry.get("/v2/a/tags/list").json();
    assert_eq!(all, json!({"name": "a", "tags": ["B", "a", "b", "c", "d"]}));
    let two = pages(&registry, "/v2/a/tags/list?n=2", "tags");
    assert_eq!(two, [json!(["B", "a"]), json!(["b", "c"]), json!(["d"])]);
    assert_eq!(pages(&registry, "/v2/a/tags/list?n=0", "tags"), [json!([])]);
    assert_eq!(pages(&registry, "/v2/a/tags/list?last=c", "tags"), [json!(["d"])]);
    assert_eq!(pages(&registry, "/v2/a/tags/list?last=zz", "tags"), [json!([])]);
    for tag in ["a", "B", "b", "c", "d"] {
        assert_eq!(registry.ask("DELETE", &format!("/v2/a/manifests/{tag}")).status, 202);
    }
    assert_eq!(registry.get("/v2/a/tags/list").json()["tags"], json!([]));
}

#[test]
fn cve_2023_2253_repositories_come_in_pages_of_a_bounded_size() {
    let registry = Registry::start();
    assert_eq!(registry.get("/v2/_catalog").json(), json!({"repositories": []}));
    for name in ["b", "a/b", "a", "a-b", "c/d/e"] {
        registry.push_image(name, "v1", "layer");
    }
    registry.push_blob("blobs-only", b"x");
    let all = json!(["a", "a-b", "a/b", "b", "c/d/e"]);
    assert_eq!(registry.get("/v2/_catalog").json()["repositories"], all);
    assert_eq!(registry.get("/v2/_catalog?n=100000000000000000000").json()["repositories"], all);
    let two = pages(&registry, "/v2/_catalog?n=2", "repositories");
    assert_eq!(two, [json!(["a", "a-b"]), json!(["a/b", "b"]), json!(["c/d/e"])]);
    assert_eq!(
        registry.get("/v2/_catalog?n=-1").refusal(),
        refused(400, "PAGINATION_NUMBER_INVALID")
    );
}

/// Pushes an artifact that refers to a subject, by its digest.
fn attach(registry: &Registry, subject: &str, kind: &str, note: &str) -> (String, Reply) {
    let config = registry.push_blob("a", b"{}");
    let text = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [], "annotations": {"note": note},
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 7},
    });
    let text = text.to_string();
    let name = digest(text.as_bytes());
    let reply = registry.put_manifest("a", &name, OCI_MANIFEST, &text);
    (name, reply)
}

#[test]
fn referrers_are_listed_filtered_and_forgotten() {
    let registry = Registry::start();
    // The subject need not be there first.
    let subject = digest(b"an image");
    let path = format!("/v2/a/referrers/{subject}");
    let none = registry.get(&path);
    assert_eq!((none.status, none.header("content-type")), (200, OCI_INDEX));
    assert_eq!(none.json(), json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}));
    let (one, reply) = attach(&registry, &subject, "application/x.sbom", "one");
    assert_eq!((reply.status, reply.header("oci-subject")), (201, subject.as_str()));
    let (two, _) = attach(&registry, &subject, "application/x.signature", "two");
    attach(&registry, &digest(b"another"), "application/x.sbom", "three");
    let names = |reply: &Reply| {
        let manifests = reply.json()["manifests"].as_array().unwrap().clone();
        let mut names: Vec<_> =
            manifests.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let mut both = vec![one.clone(), two.clone()];
    both.sort();
    assert_eq!(names(&registry.get(&path)), both);
    let filtered = registry.get(&format!("{path}?artifactType=application/x.sbom"));
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    let entry = &filtered.json()["manifests"][0];
    assert_eq!(
        (names(&filtered), &entry["annotations"]),
        (vec![one.clone()], &json!({"note": "one"}))
    );
    assert_eq!(
        (&entry["artifactType"], &entry["mediaType"]),
        (&json!("application/x.sbom"), &json!(OCI_MANIFEST))
    );
    let paged = pages(&registry, &format!("{path}?n=1"), "manifests");
    assert_eq!(paged.iter().map(|page| page.as_array().unwrap().len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(registry.ask("DELETE", &format!("/v2/a/manifests/{one}")).status, 202);
    assert_eq!(names(&registry.get(&path)), [two]);
    assert_eq!(registry.get("/v2/a/referrers/x").refusal(), refused(400, "DIGEST_INVALID"));
}
