//! `images --tree`: what is based on what, and what they share.

use testkit::engine::Engine;

/// The rows without their ids, which are the second cells.
fn rows(tree: &str) -> Vec<String> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
        let depth = (line.len() - line.trim_start().len()) / 2;
        format!("{depth} {} {}", cells[0], cells[2..].join(" "))
    };
    tree.lines().skip(1).map(row).collect()
}

#[test]
fn a_tree_shows_who_shares_with_whom() {
    let engine = Engine::with_busybox();
    let write = "dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null";
    engine.gantry(&["run", "--name", "base", "busybox", "sh", "-c", write]).ok();
    engine.gantry(&["commit", "base", "above"]).ok();
    engine.gantry(&["tag", "above", "above:again"]).ok();
    let size = engine.gantry(&["images", "--format", "{{.Size}}", "busybox"]).ok();
    let above = engine.gantry(&["images", "--format", "{{.Size}}", "above:again"]).ok();
    let tree = engine.gantry(&["images", "--tree"]).ok();
    let expected = [
        format!("0 alpine:latest, busybox:latest {size} {size} 0B"),
        format!("1 above:again, above:latest {above} {size} 3.15MB"),
    ];
    assert_eq!(rows(&tree), expected, "{tree}");
    let alone = engine.gantry(&["images", "--tree", "--filter", "reference=above"]).ok();
    assert!(rows(&alone)[0].starts_with("0 above:again, above:latest "), "{alone}");
}

#[test]
fn what_a_tree_has_no_place_for_is_refused() {
    let engine = Engine::start();
    for flag in ["--quiet", "--digests", "--format=json"] {
        let refused = engine.gantry(&["images", "--tree", flag]);
        let name = flag.split('=').next().unwrap();
        let expected = format!("{name} is not yet supported with --tree\n");
        assert_eq!((refused.code, refused.stderr), (1, expected));
    }
}
