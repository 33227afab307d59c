//! `gantry events`.

use testkit::engine::Engine;

#[test]
fn a_run_is_told_in_order_and_once() {
    let engine = Engine::with_busybox();
    engine
        .gantry(&[
            "run",
            "--rm",
            "--name",
            "box",
            "--network",
            "none",
            "busybox",
            "sh",
            "-c",
            "exit 3",
        ])
        .fails(3);
    let args = [
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "type=container",
        "--format",
        "{{.Action}}",
    ];
    let actions = engine.gantry(&args).ok();
    assert_eq!(actions, "create\nattach\nstart\ndie\ndestroy");
    let codes = engine.gantry(&[
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "event=die",
        "--format",
        "{{.Actor.Attributes.exitCode}}",
    ]);
    assert_eq!(codes.ok(), "3");
}
