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
    engine.gantry(&["create", "--name", "aa", "-l", "tier=web", "busybox"]).ok();
    engine.gantry(&["create", "--name", "bb", "-l", "tier=db", "busybox"]).ok();
    let names =
        |filter: &str| engine.gantry(&["ps", "-a", "--format", "{{.Names}}", "-f", filter]).ok();
    assert_eq!(names("label=tier=db"), "bb");
    assert_eq!(names("name=a"), "aa");
    assert_eq!(names("status=created"), "bb\naa");
    assert_eq!(names("ancestor=busybox"), "bb\naa");
    let unknown = engine.gantry(&["ps", "-f", "colour=red"]).fails(1);
    assert!(unknown.contains("invalid filter 'colour'"), "{unknown}");
}
