//! What a build does again, and what not; builds beside one another; equal bytes on two engines; results in a registry.

use std::fs;
use std::path::Path;

use testkit::engine::Engine;
use testkit::registry::Registry;

use super::site::Site;

/// Which steps of a build ran, and which did not, by the words of their instruction.
fn steps_of(site: &Site, words: &[&str]) -> Vec<String> {
    let output = site.build(&[words, &["context"]].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    steps(&output.stderr)
}

pub(super) fn steps(progress: &str) -> Vec<String> {
    let lines: Vec<&str> = progress.lines().collect();
    let step = |line: &&&str| {
        line.split_once("] ").is_some_and(|(head, _)| {
            head.starts_with('#') && head.contains(" [") && !head.contains("internal")
        })
    };
    let named = lines.iter().filter(step).filter_map(|line| {
        let (number, _) = line.split_once(' ')?;
        let name = line.split_once("] ")?.1;
        (!name.starts_with("FROM")).then_some((number, name))
    });
    let mut seen = Vec::new();
    for (number, name) in named {
        let cached = lines.contains(&format!("{number} CACHED").as_str());
        let text = format!("{} {name}", if cached { "cached" } else { "ran" });
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.sort();
    seen
}

#[test]
fn a_change_runs_what_depends_on_it_and_nothing_else() {
    let site = Site::new();
    let dockerfile = "FROM busybox AS make\nRUN echo one > /one\nCOPY source /source\nRUN wc -c < /source > /size\n\
                      FROM busybox\nRUN echo two > /two\nCOPY --from=make /size /size\nRUN cat /size /two > /all\n";
    site.write("Dockerfile", dockerfile);
    site.write("source", "abc");
    let ran = [
        "ran COPY --from=make /size /size",
        "ran COPY source /source",
        "ran RUN cat /size /two > /all",
        "ran RUN echo one > /one",
        "ran RUN echo two > /two",
        "ran RUN wc -c < /source > /size",
    ];
    assert_eq!(steps_of(&site, &["-t", "made"]), ran);
    let first = site.engine.gantry(&["inspect", "-f", "{{.Id}}", "made"]).ok();
    let cached = ran.map(|step| step.replace("ran ", "cached "));
    assert_eq!(steps_of(&site, &["-t", "made"]), cached);
    assert_eq!(site.engine.gantry(&["inspect", "-f", "{{.Id}}", "made"]).ok(), first);
    // Another file of the same size: what is made of it is the same, and so is all after it.
    site.write("source", "xyz");
    assert_eq!(
        steps_of(&site, &["-t", "made"]),
        [
            "cached COPY --from=make /size /size",
            "cached RUN cat /size /two > /all",
            "cached RUN echo one > /one",
            "cached RUN echo two > /two",
            "ran COPY source /source",
            "ran RUN wc -c < /source > /size",
        ]
    );
    assert_eq!(site.engine.gantry(&["inspect", "-f", "{{.Id}}", "made"]).ok(), first);
    let explained = site.build(&["--explain-cache", "--no-cache", "context"]);
    assert!(
        explained.stderr.contains("the cache is not to be used for it"),
        "{}",
        explained.stderr
    );
    site.write("source", "longer");
    let explained = site.build(&["--explain-cache", "context"]).stderr;
    assert!(explained.contains("files that it takes have changed"), "{explained}");
    assert!(explained.contains("what it stands on has changed"), "{explained}");
}

#[test]
fn the_same_step_of_builds_side_by_side_runs_once() {
    let site = Site::new();
    site.write(
        "Dockerfile",
        "FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /once; sleep 1\n",
    );
    let builds: Vec<_> = (0..4)
        .map(|number| {
            let mut command = site.command(&["-t", &format!("same{number}"), "context"]);
            command.stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut build in builds {
        assert!(build.wait().unwrap().success());
    }
    let ids: std::collections::BTreeSet<_> = (0..4)
        .map(|number| {
            let name = format!("same{number}");
            site.engine.gantry(&["inspect", "-f", "{{.Id}}", &name]).ok()
        })
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn a_date_makes_equal_images_on_two_engines() {
    let dockerfile = "FROM busybox\nRUN mkdir /d && echo text > /d/file && ln /d/file /d/link\nCOPY source /new/\nWORKDIR /w\n";
    let ids = [(); 2].map(|()| {
        let site = Site::new();
        site.write("Dockerfile", dockerfile);
        site.write("source", "abc");
        site.build(&["--build-arg", "SOURCE_DATE_EPOCH=1700000000", "-t", "dated", "context"]).ok();
        let seen = ["run", "--rm", "dated", "stat", "-c", "%Y", "/d/file", "/new", "/w"];
        assert_eq!(site.engine.gantry(&seen).ok(), "1700000000\n1700000000\n1700000000");
        site.engine.gantry(&["inspect", "-f", "{{.Id}} {{.Created}}", "dated"]).ok()
    });
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].ends_with(" 2023-11-14T22:13:20Z"), "{}", ids[0]);
}

#[test]
fn a_build_that_is_given_up_leaves_nothing_and_the_next_one_goes_on() {
    let mut site = Site::new();
    site.write("Dockerfile", "FROM busybox\nRUN echo done > /first\nRUN echo begun; sleep 1000\n");
    let mut build =
        site.command(&["context"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufReader::new(build.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(" begun") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut told, &mut line).unwrap(), 0, "it ended");
    }
    build.kill().unwrap();
    build.wait().unwrap();
    let alive =
        |engine: &Engine| fs::read_dir(engine.exec_root().join("c")).unwrap().next().is_some();
    site.engine.wait_until("the step ends with its build", |engine| !alive(engine));
    site.write("Dockerfile", "FROM busybox\nRUN echo done > /first\nRUN echo other\n");
    assert_eq!(steps_of(&site, &[]), ["cached RUN echo done > /first", "ran RUN echo other"]);
}

#[test]
fn a_layer_that_is_there_twice_can_be_exported() {
    let site = Site::new();
    site.write("Dockerfile", "FROM busybox\nWORKDIR /etc\nRUN echo x > /x\nWORKDIR /tmp\n");
    site.build(&["-t", "twice", "context"]).ok();
    assert_eq!(site.engine.gantry(&["run", "--rm", "twice", "cat", "/x"]).ok(), "x");
    let container = site.engine.gantry(&["create", "twice"]).ok();
    let file = site.path().join("export.tar");
    site.engine.gantry(&["export", "-o", file.to_str().unwrap(), &container]).ok();
    let mut archive = tar::Archive::new(fs::File::open(file).unwrap());
    let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
    assert!(paths.into_iter().any(|path| path == Path::new("x")));
}

#[test]
fn archives_among_other_files_are_unpacked_and_the_others_are_not() {
    let site = Site::new();
    site.write("Dockerfile", "FROM busybox\nADD *.x /to/\nCOPY *.x /as-they-are/\n");
    site.write("a.x", "before");
    site.write("c.x", "after");
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in [("dir/inside", "unpacked"), ("a.x", "from the archive")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    site.write("b.x", tar.into_inner().unwrap());
    site.build(&["-t", "added", "context"]).ok();
    let run = |line: &str| site.engine.gantry(&["run", "--rm", "added", "sh", "-c", line]).ok();
    assert_eq!(
        run("cd /to && cat dir/inside a.x c.x; ls"),
        "unpackedfrom the archiveaftera.x\nc.x\ndir"
    );
    assert_eq!(run("cd /as-they-are && cat a.x c.x; ls"), "beforeaftera.x\nb.x\nc.x");
}

#[test]
fn a_file_that_is_too_deep_is_refused_and_the_engine_goes_on() {
    let site = Site::new();
    site.write("Dockerfile", format!("FROM busybox\n{}", "RUN true\n".repeat(100_000)));
    let output = site.build(&["context"]);
    assert!(output.stderr.contains("more than 500 steps upon one another"), "{}", output.stderr);
    let chain: String = (1..2_000).map(|at| format!("FROM s{} AS s{at}\n", at - 1)).collect();
    site.write("Dockerfile", format!("FROM busybox AS s0\n{chain}CMD [\"true\"]\n"));
    site.build(&["-t", "chain", "context"]).ok();
    site.engine.gantry(&["run", "--rm", "--network", "none", "chain"]).ok();
}

#[test]
fn a_result_goes_to_a_registry() {
    let Some(registry) = Registry::start("push what was built") else { return };
    let site = Site::new();
    site.write("Dockerfile", "FROM busybox\nRUN echo pushed > /pushed\n");
    let name = format!("{}/built/here:1", registry.address());
    site.build(&["--push", "-t", &name, "context"]).ok();
    let engine = Engine::start();
    engine.gantry(&["pull", "-q", &name]).ok();
    assert_eq!(engine.gantry(&["run", "--rm", &name, "cat", "/pushed"]).ok(), "pushed");
    let output = site.build(&["--push", "context"]);
    assert!(output.stderr.contains("tag is needed when pushing to registry"), "{}", output.stderr);
}
