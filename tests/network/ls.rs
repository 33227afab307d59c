//! `network ls`.

use testkit::engine::Engine;

#[test]
fn those_that_are_always_there_are_listed_by_their_drivers() {
    let engine = Engine::start();
    let format = ["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"];
    assert_eq!(
        engine.gantry(&format).ok(),
        "bridge bridge local\nhost host local\nnone null local"
    );
}

#[test]
fn names_are_parts_or_expressions() {
    let engine = Engine::start();
    let named = |filter: &str| {
        engine.gantry(&["network", "ls", "--filter", filter, "--format", "{{.Name}}"]).ok()
    };
    assert_eq!(named("name=^host$"), "host");
    assert_eq!(named("name=os"), "host");
    assert_eq!(named("name=^ost"), "");
    assert_eq!(named("name=^(host|none)$"), "host\nnone");
    assert_eq!(named("name=("), "");
    let raw = ["network", "ls", "--filter", "name=none", "--format", "raw"];
    let raw = engine.gantry(&raw).ok();
    assert!(raw.contains("name: none\ndriver: null\nscope: local"), "{raw}");
}
