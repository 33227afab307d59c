use crate::compose::project::Project;
use crate::registry::Registry;

const FILES: &str = "services:
  web: {image: 'busybox:${TAG:-latest}', env_file: web.env, volumes: ['./data:/data']}
";

#[test]
fn a_project_is_published_as_its_files_are_and_only_what_was_agreed_to() {
    let registry = Registry::start();
    let name = format!("{}/app/shop", registry.address);
    let project = Project::of(FILES);
    project.write("compose.override.yaml", "services: {web: {environment: {A: b}}}\n");
    project.write("web.env", "SECRET=1\n");
    let publish = |flags: &[&str]| project.compose(&[&["publish"], flags, &[&name]].concat());

    let refused = publish(&[]).fails(1);
    for told in [
        "service \"web\" has env_file declared.",
        "service \"web\" has environment variable(s) declared.",
        "--with-env",
    ] {
        assert!(refused.contains(told), "{refused}");
    }
    let refused = publish(&["--with-env"]).fails(1);
    assert!(refused.contains("bind mounts") && refused.contains("/data -> /data"), "{refused}");
    publish(&["--with-env", "--yes"]).ok();

    let manifest: serde_json::Value =
        serde_json::from_str(&registry.text("/v2/app/shop/manifests/latest")).unwrap();
    assert_eq!(manifest["artifactType"], "application/vnd.docker.compose.project");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
    let layers: Vec<(String, String)> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| {
            let annotations = &layer["annotations"];
            let names = ["com.docker.compose.file", "com.docker.compose.envfile"];
            let name = names.iter().find_map(|name| annotations[name].as_str()).unwrap();
            let digest = layer["digest"].as_str().unwrap();
            (name.to_owned(), registry.text(&format!("/v2/app/shop/blobs/{digest}")))
        })
        .collect();
    let expected = [
        ("compose.yaml", FILES),
        ("compose.override.yaml", "services: {web: {environment: {A: b}}}\n"),
        ("web.env", "SECRET=1\n"),
    ];
    assert_eq!(layers, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));

    // The same files are the same artifact; an older form says what it is by its configuration.
    let before = registry.text("/v2/app/shop/manifests/latest");
    publish(&["--with-env", "-y"]).ok();
    assert_eq!(registry.text("/v2/app/shop/manifests/latest"), before);
    publish(&["--with-env", "-y", "--oci-version", "1.0"]).ok();
    let older = registry.text("/v2/app/shop/manifests/latest");
    assert!(older.contains("compose.config.empty.v1+json") && !older.contains("artifactType"));
    assert!(publish(&["--oci-version", "3"]).fails(1).contains("unsupported OCI version: 3"));
}

#[test]
fn what_others_could_not_use_is_not_published() {
    let registry = Registry::start();
    let name = format!("{}/app/shop", registry.address);
    let project = Project::of("");
    project.write("other.yaml", "services: {base: {image: busybox}}\n");
    for (text, told) in [
        ("services: {web: {build: .}}\n", "only contains a build section for service(s):\n\"web\""),
        ("include: [other.yaml]\nservices: {web: {image: busybox}}\n", "local includes"),
        (
            "services: {web: {extends: {file: other.yaml, service: base}}}\n",
            "extends one of another file",
        ),
        (
            "services: {web: {image: busybox, env_file: ../app/compose.yaml}}\n",
            "beside the Compose file",
        ),
    ] {
        project.write("compose.yaml", text);
        let output = project.compose(&["publish", "-y", "--with-env", &name]);
        assert!(output.code != 0 && output.stderr.contains(told), "{text}: {output:?}");
    }
    project.write("compose.yaml", "services: {web: {image: busybox}}\n");
    let image = format!("{}/app/web:1", registry.address);
    project.engine.gantry(&["tag", "busybox", &image]).ok();
    project.engine.gantry(&["push", "-q", &image]).ok();
    project.write("compose.yaml", &format!("services: {{web: {{image: '{image}'}}}}\n"));
    project.compose(&["publish", "--resolve-image-digests", &name]).ok();
    let manifest = registry.text("/v2/app/shop/manifests/latest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let pins = &manifest["layers"][1];
    assert_eq!(pins["annotations"]["com.docker.compose.file"], "image-digests.yaml");
    let text = registry.text(&format!("/v2/app/shop/blobs/{}", pins["digest"].as_str().unwrap()));
    assert!(text.contains(&format!("\"{image}@sha256:")), "{text}");
    let missing = project.compose(&["publish", &format!("{name}@sha256:{}", "a".repeat(64))]);
    assert!(missing.fails(1).contains("the digest is what the content makes it"));
}
