//! `gantry volume prune`.

use std::sync::atomic::{AtomicBool, Ordering};

use testkit::engine::Engine;

use super::names;

#[test]
fn anonymous_ones_go_named_ones_only_when_all_are_meant_and_used_ones_never() {
    let engine = Engine::with_busybox();
    engine.gantry(&["volume", "create", "named"]).ok();
    engine.gantry(&["create", "--name", "box", "-v", "used:/u", "-v", "/a", "busybox"]).ok();
    let anonymous = engine.gantry(&["volume", "create"]).ok();
    let pruned = engine.gantry(&["volume", "prune", "-f"]).ok();
    assert_eq!(pruned, format!("Deleted Volumes:\n{anonymous}\n\nTotal reclaimed space: 0B"));
    let pruned = engine.gantry(&["volume", "prune", "-af"]).ok();
    assert_eq!(pruned, "Deleted Volumes:\nnamed\n\nTotal reclaimed space: 0B");
    assert_eq!(names(&engine).len(), 2);
    engine.gantry(&["rm", "box"]).ok();
    engine.gantry(&["volume", "prune", "-af"]).ok();
    assert!(names(&engine).is_empty());
}

#[test]
fn nothing_in_use_is_pruned_while_containers_are_made() {
    let engine = Engine::with_busybox();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pruner = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                engine.gantry(&["volume", "prune", "-af"]).ok();
            }
        });
        for n in 0..12 {
            let (name, mount) = (format!("box{n}"), format!("data{}:/v", n % 3));
            let words = [
                "run",
                "-d",
                "--network",
                "none",
                "--name",
                &name,
                "-v",
                &mount,
                "-v",
                "/anonymous",
                "busybox",
                "sleep",
                "300",
            ];
            engine.gantry(&words).ok();
            engine.gantry(&["exec", &name, "touch", "/v/there", "/anonymous/there"]).ok();
            engine.gantry(&["exec", &name, "ls", "/v/there"]).ok();
        }
        done.store(true, Ordering::Relaxed);
        pruner.join().unwrap();
    });
    for n in 0..12 {
        let mounts = "{{range .Mounts}}{{println .Source}}{{end}}";
        let sources = engine.gantry(&["inspect", "-f", mounts, &format!("box{n}")]).ok();
        for source in sources.lines().filter(|line| !line.is_empty()) {
            assert!(std::path::Path::new(source).join("there").exists(), "{source}");
        }
    }
}
