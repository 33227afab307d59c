//! `gantry push`, to Debian's registry.

use testkit::engine::Engine;
use testkit::registry::Registry;

#[test]
fn what_was_pushed_is_there_and_is_not_sent_again() {
    let Some(registry) = Registry::start("push to a real registry") else { return };
    let engine = Engine::with_busybox();
    let at = registry.address();
    let name = format!("{at}/push/busy:1");
    engine.gantry(&["tag", "busybox", &name]).ok();
    let first = engine.gantry(&["push", &name]).ok();
    let lines: Vec<&str> = first.lines().collect();
    assert_eq!(lines[0], format!("The push refers to repository [{at}/push/busy]"));
    assert!(lines[1].ends_with(": Preparing") && lines[2].ends_with(": Pushed"), "{first}");
    assert!(lines[3].starts_with("1: digest: sha256:") && lines[3].contains(" size: "), "{first}");
    let again = engine.gantry(&["push", &name]).ok();
    assert_eq!(again, first.replace("Pushed", "Layer already exists"));
    let other = format!("{at}/push/other");
    engine.gantry(&["tag", "busybox", &other]).ok();
    let mounted = engine.gantry(&["push", &other]).ok();
    assert!(mounted.starts_with("Using default tag: latest\n"), "{mounted}");
    assert!(mounted.contains(": Mounted from push/busy\n"), "{mounted}");
    assert_eq!(engine.gantry(&["push", "-q", &name]).ok(), name);
}

#[test]
fn an_image_that_is_pulled_and_pushed_keeps_its_digest() {
    let (Some(one), Some(two)) =
        (Registry::start("push to a real registry"), Registry::start("push to a real registry"))
    else {
        return;
    };
    let (engine, name) = super::pull::pushed(&one, "a/busy");
    drop(engine);
    let engine = Engine::start();
    engine.gantry(&["pull", "-q", &name]).ok();
    let elsewhere = format!("{}/b/busy:2", two.address());
    engine.gantry(&["tag", &name, &elsewhere]).ok();
    let pushed = engine.gantry(&["push", &elsewhere]).ok();
    let digests = engine.gantry(&["inspect", "-f", "{{join .RepoDigests \" \"}}", &name]).ok();
    let digests: Vec<&str> =
        digests.split(' ').map(|name| name.split_once('@').unwrap().1).collect();
    assert_eq!(digests.len(), 2);
    assert_eq!(digests[0], digests[1]);
    assert!(pushed.contains(&format!("2: digest: {} size: ", digests[0])), "{pushed}");
}

#[test]
fn what_cannot_be_pushed_is_said_in_dockers_words() {
    let engine = Engine::with_busybox();
    let fails = |args: &[&str]| engine.gantry(args).fails(1);
    assert_eq!(
        fails(&["push", "127.0.0.1:1/none"]),
        "An image does not exist locally with the tag: 127.0.0.1:1/none"
    );
    engine.gantry(&["tag", "busybox", "127.0.0.1:1/busy:1"]).ok();
    assert_eq!(fails(&["push", "127.0.0.1:1/busy:2"]), "tag does not exist: 127.0.0.1:1/busy:2");
    assert_eq!(
        fails(&["push", "-a", "127.0.0.1:1/busy:1"]),
        "tag can't be used with --all-tags/-a"
    );
    assert_eq!(
        fails(&["push", "127.0.0.1:1/busy:1"]),
        "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused"
    );
}

/// A registry that knows ann.
fn guarded() -> Option<Registry> {
    let test = "log in to a real registry";
    Registry::start_with(test, "auth:\n  htpasswd:\n    realm: r\n    path: DIR/htpasswd\n")
}

#[test]
fn a_registry_with_a_password_is_logged_in_to_and_out_of() {
    let Some(registry) = guarded() else { return };
    let engine = Engine::with_busybox();
    let at = registry.address();
    let name = format!("{at}/guarded/busy:1");
    let config = engine.scratch().join("docker");
    let gantry = |args: &[&str]| {
        let config = config.to_str().unwrap();
        engine.gantry(&[&["--config", config], args].concat())
    };
    gantry(&["tag", "busybox", &name]).ok();
    assert_eq!(gantry(&["push", "-q", &name]).fails(1), "no basic auth credentials");
    let refused = gantry(&["login", "-u", "ann", "-p", "wrong", &at]).fails(1);
    let insecure = "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n";
    assert_eq!(
        refused,
        format!(
            "{insecure}Error response from daemon: login attempt to http://{at}/v2/ failed with status: 401 Unauthorized"
        )
    );
    assert_eq!(gantry(&["login", "-u", "ann", "-p", "secret", &at]).ok(), "Login Succeeded");
    assert_eq!(gantry(&["push", "-q", &name]).ok(), name);
    gantry(&["rmi", &name]).ok();
    assert_eq!(gantry(&["pull", "-q", &name]).ok(), name);
    assert_eq!(
        gantry(&["login", &at]).ok(),
        "Authenticating with existing credentials...\nLogin Succeeded"
    );
    assert_eq!(gantry(&["logout", &at]).ok(), format!("Removing login credentials for {at}"));
    assert_eq!(
        gantry(&["pull", "-q", &name]).fails(1),
        format!(
            "Error response from daemon: Head \"http://{at}/v2/guarded/busy/manifests/1\": no basic auth credentials"
        )
    );
    assert!(!engine.log().contains("secret"), "{}", engine.log());
}

#[test]
fn what_is_missing_for_a_login_is_said() {
    let engine = Engine::start();
    let fails = |args: &[&str]| engine.gantry(args).fails(1);
    let interactive = "Error: Cannot perform an interactive login from a non TTY device";
    assert_eq!(fails(&["login", "127.0.0.1:1"]), interactive);
    assert_eq!(fails(&["login", "-u", "x", "127.0.0.1:1"]), interactive);
    assert_eq!(
        fails(&["login", "--password-stdin"]),
        "Must provide --username with --password-stdin"
    );
}
