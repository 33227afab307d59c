use std::collections::BTreeMap;

use oci::Platform;
use oci::image::{ContainerConfig, ImageConfig};

use super::*;
use crate::dockerfile::parse;

fn request() -> Request {
    let platform = Platform::new("linux", "amd64", "");
    Request { platform: platform.clone(), build_platform: platform, ..Request::default() }
}

fn busybox() -> ImageConfig {
    let config = ContainerConfig {
        env: Some(vec!["PATH=/bin".into()]),
        cmd: Some(vec!["sh".into()]),
        ..ContainerConfig::default()
    };
    ImageConfig { config: Some(config), ..ImageConfig::default() }
}

fn images(names: &[&str]) -> Images {
    let wanted = |name: &&str| Wanted { reference: (*name).into(), platform: request().platform };
    names.iter().map(|name| (wanted(name), busybox())).collect()
}

fn planned(text: &str) -> Plan {
    plan(&parse(text).unwrap(), &request(), &images(&["busybox"])).unwrap()
}

fn wrong(text: &str) -> String {
    plan(&parse(text).unwrap(), &request(), &images(&["busybox"])).unwrap_err().to_string()
}

fn histories(plan: &Plan) -> Vec<&str> {
    plan.history.iter().map(|entry| entry.created_by.as_str()).collect()
}

fn runs(plan: &Plan) -> Vec<&Run> {
    let run = |vertex| match vertex {
        &Vertex { op: Op::Run(ref run), .. } => Some(run.as_ref()),
        _ => None,
    };
    plan.vertices.iter().filter_map(run).collect()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.vertices.iter().map(|vertex| vertex.name.as_str()).collect()
}

#[test]
fn a_context_is_asked_for_what_is_used_of_it() {
    let sources = |text: &str| {
        let plan = planned(text);
        let context = plan.vertices.into_iter().find_map(|vertex| match vertex.op {
            Op::Context(context) => Some(context.sources),
            _ => None,
        });
        context.unwrap().join(" ")
    };
    assert_eq!(
        sources("FROM busybox\nCOPY b/*.c a /x/\nCOPY --from=busybox /z /\nCOPY a /\n"),
        "a b/*.c"
    );
    let bind = "FROM busybox\nRUN --mount=type=bind,source=m,target=/m true\nCOPY a /\n";
    assert_eq!(sources(bind), "a m");
    assert_eq!(sources(&bind.replace("source=m", "source=m*")), "");
    let many = |count: usize, name: &str| {
        let names: Vec<String> = (0..count).map(|at| format!("{name}{at}")).collect();
        sources(&format!("FROM busybox\nCOPY {} /x/\n", names.join(" "))).split(' ').count()
    };
    assert_eq!([many(128, "a"), many(129, "a"), many(50, &"a".repeat(200))], [128, 1, 1]);
    assert_eq!(sources("FROM busybox\nCOPY a /\nRUN --mount=target=/m true\n"), "/ a");
}

#[test]
fn scratch_has_a_path_and_a_directory() {
    let config = planned("FROM scratch\nCOPY a /\n").image.config.unwrap();
    assert_eq!(config.working_dir, "/");
    assert_eq!(config.env.unwrap(), [format!("PATH={}", stage::DEFAULT_PATH)]);
}

/// What BuildKit 0.13 made of the same file.
#[test]
fn history_and_configuration_are_buildkits() {
    let plan = planned(
        r#"FROM busybox AS a
ARG X=1
ENV A=b C="d e"
RUN true
WORKDIR /
WORKDIR /app
WORKDIR sub
RUN echo $X > x
COPY . /app/
COPY --chown=1:2 Dockerfile /etc
COPY <<EOT /hello
hi
EOT
RUN <<EOT
echo 6 >/six
EOT
LABEL l=m
CMD echo hi
VOLUME /v
EXPOSE 80 90-91/udp
USER 5
HEALTHCHECK --interval=90s --retries=3 CMD ["x", "y"]
STOPSIGNAL SIGINT
SHELL ["/bin/ash","-c"]
ENTRYPOINT x
ONBUILD RUN echo
MAINTAINER me
"#,
    );
    assert_eq!(
        histories(&plan),
        [
            "ARG X=1",
            "ENV A=b C=d e",
            "RUN |1 X=1 /bin/sh -c true # buildkit",
            "WORKDIR /",
            "WORKDIR /app",
            "WORKDIR /app/sub",
            "RUN |1 X=1 /bin/sh -c echo $X > x # buildkit",
            "COPY . /app/ # buildkit",
            "COPY --chown=1:2 Dockerfile /etc # buildkit",
            "COPY <<EOT /hello # buildkit",
            "RUN |1 X=1 /bin/sh -c echo 6 >/six\n # buildkit",
            "LABEL l=m",
            r#"CMD ["/bin/sh" "-c" "echo hi"]"#,
            "VOLUME [/v]",
            "EXPOSE map[80/tcp:{} 90/udp:{} 91/udp:{}]",
            "USER 5",
            r#"HEALTHCHECK &{["CMD" "x" "y"] "1m30s" "0s" "0s" "0s" '\x03'}"#,
            "STOPSIGNAL SIGINT",
            "SHELL [/bin/ash -c]",
            r#"ENTRYPOINT ["/bin/ash" "-c" "x"]"#,
            "MAINTAINER me",
        ]
    );
    let layers = plan.history.iter().filter(|entry| entry.vertex.is_some()).count();
    assert_eq!(layers, 8, "WORKDIR / made none");
    let config = plan.image.config.as_ref().unwrap();
    assert_eq!(config.env.as_deref().unwrap(), ["PATH=/bin", "A=b", "C=d e"]);
    assert_eq!(config.cmd.as_deref().unwrap(), ["/bin/sh", "-c", "echo hi"]);
    assert_eq!(config.working_dir, "/app/sub");
    assert_eq!(plan.image.author, "me");
    assert_eq!(
        names(&plan),
        [
            "[a  1/10] FROM docker.io/library/busybox:latest",
            "[a  2/10] RUN true",
            "[a  3/10] WORKDIR /app",
            "[a  4/10] WORKDIR sub",
            "[a  5/10] RUN echo 1 > x",
            "[internal] load build context",
            "[a  6/10] COPY . /app/",
            "[a  7/10] COPY --chown=1:2 Dockerfile /etc",
            "[internal] preparing inline document",
            "[a  8/10] COPY <<EOT /hello",
            "[a  9/10] RUN <<EOT (echo 6 >/six)",
        ]
    );
}

#[test]
fn the_later_of_env_and_arg_is_what_a_command_sees() {
    let plan = planned("FROM busybox\nENV A=1\nARG A=2\nARG E\nARG P=$A\nRUN env");
    let env = &runs(&plan)[0].env;
    assert!(env.contains(&("A".into(), "2".into())) && env.contains(&("P".into(), "2".into())));
    assert_eq!(plan.image.config.as_ref().unwrap().env.as_ref().unwrap()[1], "A=1");
    assert_eq!(
        histories(&plan).last().copied(),
        Some("RUN |3 A=2 E= P=2 /bin/sh -c env # buildkit")
    );
}

#[test]
fn arguments_before_from_are_seen_by_stages_that_name_them() {
    let file = parse("ARG V=1\nARG B=busy\nFROM ${B}box\nARG V\nRUN x$V\nRUN $B").unwrap();
    let plan = plan(&file, &request(), &images(&["busybox"])).unwrap();
    let env = &runs(&plan)[0].env;
    assert!(env.contains(&("V".into(), "1".into())));
    assert!(!env.iter().any(|(name, _)| name == "B"));
}

#[test]
fn given_arguments_win_and_proxies_leave_no_trace() {
    let file = parse("FROM busybox\nARG A=1\nRUN x").unwrap();
    let given = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let build_args = BTreeMap::from([given("A", "2"), given("http_proxy", "p"), given("Z", "3")]);
    let request = Request { build_args, ..request() };
    let plan = plan(&file, &request, &images(&["busybox"])).unwrap();
    let run = runs(&plan)[0];
    assert_eq!(run.proxies, [("http_proxy".into(), "p".into())]);
    assert!(run.env.contains(&("A".into(), "2".into())));
    assert_eq!(plan.history[1].created_by, "RUN |1 A=2 /bin/sh -c x # buildkit");
}

#[test]
fn stages_that_nobody_needs_are_not_planned_and_their_images_not_asked_for() {
    let text = "FROM nowhere AS unused\nRUN a\nFROM busybox AS b\nRUN b\nFROM other AS c\nRUN c\nFROM b\nCOPY --from=c /x /y\nRUN --mount=from=third,target=/t d";
    let error = plan(&parse(text).unwrap(), &request(), &Images::new()).unwrap_err();
    let Error::Missing(missing) = error else { panic!("{error}") };
    let missing: Vec<_> = missing.iter().map(|wanted| wanted.reference.as_str()).collect();
    assert_eq!(missing, ["busybox", "other", "third"]);
    let plan =
        plan(&parse(text).unwrap(), &request(), &images(&["busybox", "other", "third"])).unwrap();
    assert!(!names(&plan).iter().any(|name| name.contains("RUN a")));
    assert!(names(&plan).contains(&"[stage-3 1/2] COPY --from=c /x /y"), "{:?}", names(&plan));
    let request = Request { target: "b".into(), ..request() };
    let plan = super::plan(&parse(text).unwrap(), &request, &images(&["busybox"])).unwrap();
    assert_eq!(runs(&plan).len(), 1);
}

#[test]
fn a_child_inherits_all_but_the_right_to_keep_its_parents_command() {
    let plan = planned(
        "FROM busybox AS p\nARG A=1\nENV E=2\nWORKDIR /w\nUSER u\nCMD [\"c\"]\nFROM p\nRUN x\nENTRYPOINT [\"e\"]",
    );
    let run = runs(&plan)[0];
    assert_eq!((run.directory.as_str(), run.user.as_str()), ("/w", "u"));
    assert!(run.env.contains(&("A".into(), "1".into())));
    let config = plan.image.config.as_ref().unwrap();
    assert_eq!(config.cmd, None);
    assert_eq!(config.entrypoint.as_deref().unwrap(), ["e"]);
    assert_eq!(plan.history.len(), 7);
}

#[test]
fn triggers_of_the_base_come_first_and_are_gone() {
    let mut base = busybox();
    base.config.as_mut().unwrap().on_build = Some(vec!["ARG T=1".into(), "RUN trigger $T".into()]);
    let wanted = Wanted { reference: "base".into(), platform: request().platform };
    let images = Images::from([(wanted, base)]);
    let plan = plan(&parse("FROM base\nRUN own").unwrap(), &request(), &images).unwrap();
    assert_eq!(runs(&plan)[0].args[2], "trigger $T");
    assert_eq!(plan.image.config.as_ref().unwrap().on_build, None);
    assert_eq!(names(&plan)[1], "[2/3] RUN trigger 1");
}

#[test]
fn copies_know_their_sources_and_their_place() {
    let plan = planned(
        "FROM busybox AS a\nFROM busybox\nWORKDIR /w\nCOPY --from=a --link x y z/\nADD https://host/f.tar https://host/r.git#main a.tar /d/\nCOPY --from=0 --exclude=*.o x .",
    );
    let copies: Vec<_> = plan
        .vertices
        .iter()
        .filter_map(|vertex| match &vertex.op {
            Op::Copy(copy) => Some((copy, &vertex.inputs)),
            _ => None,
        })
        .collect();
    let (first, inputs) = copies[0];
    assert_eq!(inputs.len(), 2);
    assert!(first.link && first.into && first.destination == "/w/z");
    assert_eq!(first.sources.iter().map(|source| source.input).collect::<Vec<_>>(), [1, 1]);
    let (second, inputs) = copies[1];
    assert_eq!(inputs.len(), 4);
    let unpack: Vec<_> = second.sources.iter().map(|source| source.unpack).collect();
    assert_eq!(unpack, [Unpack::Never, Unpack::Never, Unpack::Try]);
    let (third, inputs) = copies[2];
    assert_eq!(third.destination, "/w");
    assert!(matches!(plan.vertices[inputs[1]].op, Op::Image(_)), "stages of one image share it");
}

#[test]
fn mounts_find_their_targets_inputs_and_names() {
    let plan = planned(
        "FROM busybox\nWORKDIR /w\nRUN --mount=target=in --mount=type=cache,target=/c --mount=type=secret,id=s,env=S --mount=type=secret,target=/k --mount=type=ssh --mount=type=tmpfs,target=/t,size=1k x",
    );
    let run = runs(&plan)[0];
    let targets: Vec<_> = run.mounts.iter().map(|mount| mount.target.as_str()).collect();
    assert_eq!(targets, ["/w/in", "/c", "/run/secrets/s", "/k", "/run/buildkit/ssh_agent.4", "/t"]);
    assert!(
        matches!(&run.mounts[0].kind, MountKind::Bind { input: 1, source, writable: false } if source == "/")
    );
    assert!(matches!(&run.mounts[1].kind, MountKind::Cache { id, mode: 0o755, .. } if id == "/c"));
    assert!(matches!(&run.mounts[2].kind, MountKind::Secret { file: false, .. }));
    assert!(matches!(&run.mounts[3].kind, MountKind::Secret { id, file: true, .. } if id == "k"));
    assert!(run.env.contains(&("SSH_AUTH_SOCK".into(), "/run/buildkit/ssh_agent.4".into())));
}

#[test]
fn mistakes_are_named_with_their_lines() {
    for (text, part) in [
        ("FROM a AS x\nCOPY --from=x / /", "circular dependency detected on stage: x"),
        ("FROM busybox AS x\nCOPY --from=y / /\nFROM x AS y", "circular dependency"),
        ("FROM busybox\nCOPY a b c", "must be a directory and end with a /"),
        ("FROM $NONE", "base name ($NONE) should not be blank"),
        ("FROM busybox\nCOPY --from=7 a b", "invalid stage index 7"),
        ("FROM busybox\nRUN --network=host x", "network.host is not allowed"),
        ("FROM busybox\nRUN --security=insecure x", "security.insecure is not allowed"),
        ("FROM busybox\nENV A=${B:?gone}", "B: gone"),
        ("FROM busybox\nEXPOSE 99999", "invalid containerPort: 99999"),
        ("FROM busybox\nADD --checksum=sha256:1 f /", "checksum can't be specified"),
    ] {
        let error =
            plan(&parse(text).unwrap(), &request(), &images(&["busybox", "a"])).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        let Error::Wrong { lines, .. } = error else { panic!("{text}") };
        assert!(lines.is_some(), "{text}");
    }
    let request = Request { target: "nope".into(), ..request() };
    let error = plan(&parse("FROM busybox").unwrap(), &request, &images(&["busybox"])).unwrap_err();
    assert_eq!(error.to_string(), "target stage \"nope\" could not be found");
    assert!(wrong("FROM busybox\nUSER ${a").contains("missing '}'"));
}

#[test]
fn long_files_are_planned_or_refused_and_never_break_anything() {
    let chain = |stages: usize| {
        let more = (1..stages).map(|number| format!("FROM s{} AS s{number}\n", number - 1));
        format!("FROM busybox AS s0\n{}RUN x", more.collect::<String>())
    };
    let planning = std::thread::Builder::new().stack_size(512 << 10);
    let plan = planning.spawn(move || planned(&chain(2_000))).unwrap().join().unwrap();
    assert_eq!(runs(&plan).len(), 1);
    assert!(wrong(&chain(50_000)).contains("more than 2000 stages are needed"));
    let later: String = (0..40)
        .map(|number| format!("FROM busybox AS s{number}\nCOPY --from=s{} / /\n", number + 1))
        .collect();
    let error = wrong(&format!("{later}FROM busybox AS s40\nFROM s0"));
    assert!(error.contains("more than 32 stages"), "{error}");
    let error = wrong(&format!("FROM busybox\n{}", "RUN x\n".repeat(501)));
    assert!(error.contains("more than 500 steps upon one another"), "{error}");
    let stage = format!("FROM busybox\n{}", "RUN x\n".repeat(400));
    let stages: String =
        (0..51).map(|number| stage.replace('\n', &format!("\nENV A={number}\n"))).collect();
    let all: String = (0..51).map(|number| format!("COPY --from={number} / /\n")).collect();
    let error = wrong(&format!("{stages}FROM busybox\n{all}"));
    assert!(error.contains("more than 20000 steps"), "{error}");
    let large = format!("FROM busybox\nENV A={}\n{}", "a".repeat(1 << 20), "RUN x\n".repeat(300));
    assert!(wrong(&large).contains("the variables of all steps together"));
}

#[test]
fn platforms_share_what_they_have_in_common() {
    let text = "FROM --platform=$BUILDPLATFORM busybox AS once\nRUN one\nCOPY a /a\n\
                FROM --platform=$BUILDPLATFORM busybox AS cross\nARG TARGETARCH\nRUN cross $TARGETARCH\n\
                FROM busybox\nCOPY --from=once /x /x\nCOPY --from=cross /y /y\nCOPY b /b\nRUN own";
    let [amd64, arm64] = ["amd64", "arm64"].map(|name| Platform::new("linux", name, ""));
    let mut images = images(&["busybox"]);
    let mut other = busybox();
    other.rootfs.diff_ids.push(oci::Digest::from_sha256([1; 32]));
    let wanted = Wanted { reference: "busybox".into(), platform: arm64.clone() };
    images.insert(wanted, other);
    let mut plans = [&amd64, &arm64].map(|platform| {
        let request = Request { platform: platform.clone(), shows_platform: true, ..request() };
        plan(&parse(text).unwrap(), &request, &images).unwrap()
    });
    let alone = plans.each_ref().map(|plan| plan.vertices.clone());
    let all = join(&mut plans);
    let named = |part: &str| {
        let names = all.iter().map(|vertex| vertex.name.as_str());
        names.filter(|name| name.contains(part)).collect::<Vec<_>>()
    };
    assert_eq!(named("RUN one"), ["[linux/amd64 once 2/3] RUN one"]);
    assert_eq!(
        named("RUN cross"),
        [
            "[linux/amd64 cross 2/2] RUN cross amd64",
            "[linux/amd64->arm64 cross 2/2] RUN cross arm64"
        ]
    );
    assert_eq!(
        named("RUN own"),
        ["[linux/amd64 stage-2 5/5] RUN own", "[linux/arm64 stage-2 5/5] RUN own"]
    );
    assert_eq!(named("[internal]").len(), 1);
    let context = all.iter().find_map(|vertex| match &vertex.op {
        Op::Context(context) => Some(context.sources.join(" ")),
        _ => None,
    });
    assert_eq!(context.as_deref(), Some("a b"));
    for (plan, alone) in plans.iter().zip(&alone) {
        assert!(plan.vertices.is_empty());
        assert_eq!(all[plan.result].name, alone.last().unwrap().name);
        let made = plan.history.iter().filter_map(|entry| entry.vertex);
        let made: Vec<&str> = made.map(|vertex| all[vertex].name.as_str()).collect();
        assert_eq!(made.len(), 4, "{made:?}");
    }
    for (at, vertex) in all.iter().enumerate() {
        assert!(vertex.inputs.iter().all(|input| *input < at), "{}", vertex.name);
    }
    // Of one platform nothing moves.
    let mut one = [planned("FROM busybox\nRUN a")];
    let before = one[0].vertices.clone();
    assert_eq!(join(&mut one), before);
}
