//! `gantry ps`.

use testkit::engine::Engine;

#[test]
fn lists_running_ones_and_all_with_a() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "up", "busybox", "sleep", "300"]).ok();
    engine.gantry(&["create", "--name", "made", "busybox"]).ok();
    assert_eq!(
        engine.gantry(&["ps", "--format", "{{.Names}} {{.Image}} {{.State}}"]).ok(),
        "up busybox running"
    );
    assert_eq!(engine.gantry(&["ps", "-a", "--format", "{{.Names}}"]).ok(), "made\nup");
    let table = engine.gantry(&["ps"]).ok();
    assert!(table.starts_with("CONTAINER ID   IMAGE     COMMAND       CREATED"), "{table}");
}

#[test]
fn filters_narrow_the_list() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "a", "-l", "tier=web", "busybox"]).ok();
    engine.gantry(&["create", "--name", "b", "-l", "tier=db", "busybox"]).ok();
    let names =
        |filter: &str| engine.gantry(&["ps", "-a", "--format", "{{.Names}}", "-f", filter]).ok();
    assert_eq!(names("label=tier=db"), "b");
    assert_eq!(names("name=a"), "a");
    assert_eq!(names("status=created"), "b\na");
    assert_eq!(names("ancestor=busybox"), "b\na");
    let unknown = engine.gantry(&["ps", "-f", "colour=red"]).fails(1);
    assert!(unknown.contains("invalid filter 'colour'"), "{unknown}");
}
