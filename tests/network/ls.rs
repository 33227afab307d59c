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
