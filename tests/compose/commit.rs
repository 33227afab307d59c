use super::project::Project;

const ONE: &str = "services:\n  web: {image: busybox, command: sh -c 'echo text >/kept'}\n";

#[test]
fn an_image_is_made_of_a_service() {
    let project = Project::of(ONE);
    project.compose(&["up"]).ok();
    let words = ["commit", "-m", "why", "-c", "ENV A=1", "web", "kept:1"];
    let id = project.compose(&words).ok();
    let shown = project.inspect("kept:1", "{{.Id}} {{.Comment}}");
    assert_eq!(shown, format!("{id} why"));
    let line = "cat /kept; echo $A";
    let output = project.engine.gantry(&["run", "--rm", "kept:1", "sh", "-c", line]).ok();
    assert_eq!(output, "text\n1");
    project.compose(&["commit", "nope", "x"]).fails(1);
    project.down();
}
