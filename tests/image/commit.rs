//! `gantry commit`.

use testkit::engine::Engine;

#[test]
fn a_container_becomes_an_image() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["run", "--name", "box", "busybox", "sh", "-c", "echo new > /made; rm -r /var"])
        .ok();
    engine.gantry(&["commit", "-a", "me", "-m", "a change", "-c", "ENV X=y", "box", "made:1"]).ok();
    let seen =
        engine.gantry(&["run", "--rm", "made:1", "sh", "-c", "cat /made; echo $X; ls -d /var"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (1, "new\ny\n"));
    assert_eq!(
        engine.gantry(&["inspect", "-f", "{{.Author}} {{len .RootFS.Layers}}", "made:1"]).ok(),
        "me 2"
    );
    assert_eq!(engine.gantry(&["diff", "box"]).ok(), "A /made\nD /var");
}
