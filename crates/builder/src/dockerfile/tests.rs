//! Positive and negative cases of each form, with the lines of errors.

use std::time::Duration;

use super::*;

fn instructions(text: &str) -> Vec<Instruction> {
    let file = parse(&format!("FROM base\n{text}")).unwrap();
    file.stages[0].instructions.iter().map(|located| located.value.clone()).collect()
}

fn one(text: &str) -> Instruction {
    let mut all = instructions(text);
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    all.remove(0)
}

#[track_caller]
fn refused(text: &str, line: usize, message: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!((error.line, error.message.as_str()), (line, message), "{text}");
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn stages_have_bases_names_and_platforms() {
    let file = parse(
        "ARG V=1 W\nFROM --platform=$BUILDPLATFORM debian:$V AS Build\nRUN make\nFROM scratch\nCOPY --from=build /x /\n",
    )
    .unwrap();
    assert_eq!(file.arguments[0].value, [("V".into(), Some("1".into())), ("W".into(), None)]);
    let [build, last] = file.stages.as_slice() else { panic!("{:?}", file.stages) };
    assert_eq!(build.base, "debian:$V");
    assert_eq!(build.name.as_deref(), Some("build"));
    assert_eq!(build.platform.as_deref(), Some("$BUILDPLATFORM"));
    assert_eq!(
        (last.base.as_str(), last.name.as_deref(), last.lines.clone()),
        ("scratch", None, 4..=4)
    );
    assert_eq!(last.instructions[0].text, "COPY --from=build /x /");
}

#[test]
fn stages_are_refused_with_the_line() {
    refused("", 1, "file with no instructions");
    refused("# only a comment\n", 1, "file with no instructions");
    refused("ARG a\n\nRUN x\n", 3, "no build stage in current context");
    refused("ARG a\n", 1, "no build stage in current context");
    refused("FROM\n", 1, "FROM requires either one or three arguments");
    refused("FROM a b\n", 1, "FROM requires either one or three arguments");
    refused("FROM a OR b\n", 1, "FROM requires either one or three arguments");
    refused(
        "FROM a AS 1b\n",
        1,
        "invalid name for build stage: \"1b\", name can't start with a number or contain symbols",
    );
    refused("FROM a\nRUNN x\n", 2, "unknown instruction: RUNN (did you mean RUN?)");
    refused("FROM a\n\n# c\nXYZZYX x\n", 4, "unknown instruction: XYZZYX");
    refused("FROM --platfrom=x a\n", 1, "unknown flag: --platfrom (did you mean platform?)");
}

#[test]
fn lines_are_continued_over_comments_and_blank_lines() {
    let file = parse("FROM a\nRUN one \\\n# comment\n  two \\ \n\n  three\nCMD x\n").unwrap();
    let run = &file.stages[0].instructions[0];
    assert_eq!(run.text, "RUN one   two   three");
    assert_eq!(run.lines, 2..=6);
    assert_eq!(file.warnings.len(), 1);
    assert_eq!((file.warnings[0].line, file.warnings[0].rule), (5, "NoEmptyContinuation"));
    assert_eq!(one("RUN a\\\\\n").clone(), one("RUN a\\\\"));
    assert_eq!(parse("FROM a\nRUN x \\").unwrap().stages[0].instructions[0].text, "RUN x ");
}

#[test]
fn directives_change_how_the_rest_is_read() {
    let file = parse("\u{feff}# Syntax = docker/dockerfile:1\n# escape=`\n# check=skip=all\nFROM a\r\nWORKDIR `\r\nC:\\x\r\n").unwrap();
    assert_eq!(file.directives.escape, '`');
    assert_eq!(file.directives.syntax.as_deref(), Some("docker/dockerfile:1"));
    assert_eq!(file.directives.check.as_deref(), Some("skip=all"));
    assert_eq!(file.stages[0].instructions[0].value, Instruction::Workdir("C:\\x".into()));
    // Below an ordinary comment they are comments themselves.
    assert_eq!(parse("# hello\n# escape=`\nFROM a\n").unwrap().directives.escape, '\\');
    assert_eq!(parse("# other=1\n# escape=`\nFROM a\n").unwrap().directives.escape, '\\');
    refused("# escape=x\nFROM a\n", 1, "invalid escape token 'x' does not match ` or \\");
    refused("# escape=`\n# escape=`\nFROM a\n", 2, "only one escape parser directive can be used");
}

#[test]
fn commands_have_two_forms() {
    assert_eq!(
        one("CMD [\"a\", \"b c\"]"),
        Instruction::Cmd(Command::Exec(strings(&["a", "b c"])))
    );
    assert_eq!(one("cmd a 'b c'"), Instruction::Cmd(Command::Shell("a 'b c'".into())));
    assert_eq!(one("CMD"), Instruction::Cmd(Command::Shell(String::new())));
    assert_eq!(one("ENTRYPOINT [a]"), Instruction::Entrypoint(Command::Shell("[a]".into())));
    assert_eq!(one("SHELL [\"a\"]"), Instruction::Shell(strings(&["a"])));
    refused(
        "FROM a\nCMD [\"a\", 1]\n",
        2,
        "when using JSON array syntax, arrays must be comprised of strings only",
    );
    refused("FROM a\nSHELL a\n", 2, "SHELL requires the arguments to be in JSON form");
    refused("FROM a\nCMD --x a\n", 2, "unknown flag: --x");
}

#[test]
fn names_have_values() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        one("ENV a=1 b=\"x y\" c=d\\ e f="),
        Instruction::Env(vec![
            pair("a", "1"),
            pair("b", "\"x y\""),
            pair("c", "d\\ e"),
            pair("f", "")
        ])
    );
    assert_eq!(one("ENV a  b c"), Instruction::Env(vec![pair("a", "b c")]));
    assert_eq!(one("LABEL \"a b\"=c"), Instruction::Label(vec![pair("\"a b\"", "c")]));
    assert_eq!(one("ARG a"), Instruction::Arg(vec![("a".into(), None)]));
    refused("FROM a\nENV\n", 2, "ENV requires at least one argument");
    refused("FROM a\nENV a\n", 2, "ENV must have two arguments");
    refused("FROM a\nENV =b\n", 2, "ENV names can not be blank");
    refused(
        "FROM a\nENV a=b c\n",
        2,
        "Syntax error - can't find = in \"c\". Must be of the form: name=value",
    );
    refused("FROM a\nARG =b\n", 2, "ARG names can not be blank");
}

#[test]
fn single_values_and_lists() {
    assert_eq!(one("WORKDIR /a b"), Instruction::Workdir("/a b".into()));
    assert_eq!(one("USER a:b"), Instruction::User("a:b".into()));
    assert_eq!(one("STOPSIGNAL 9"), Instruction::Stopsignal("9".into()));
    assert_eq!(one("MAINTAINER me <a@b>"), Instruction::Maintainer("me <a@b>".into()));
    assert_eq!(one("EXPOSE 80 $b/udp"), Instruction::Expose(strings(&["80", "$b/udp"])));
    assert_eq!(one("VOLUME /a /b"), Instruction::Volume(strings(&["/a", "/b"])));
    assert_eq!(one("VOLUME [\"/a b\"]"), Instruction::Volume(strings(&["/a b"])));
    refused("FROM a\nWORKDIR\n", 2, "WORKDIR requires exactly one argument");
    refused("FROM a\nEXPOSE\n", 2, "EXPOSE requires at least one argument");
    refused("FROM a\nVOLUME [\" \"]\n", 2, "VOLUME specified can not be an empty string");
    refused("FROM a\nVOLUME []\n", 2, "VOLUME requires at least one argument");
}

#[test]
fn triggers_wait_for_the_next_build() {
    assert_eq!(one("ONBUILD RUN x"), Instruction::Onbuild("RUN x".into()));
    refused("FROM a\nONBUILD\n", 2, "ONBUILD requires at least one argument");
    refused("FROM a\nONBUILD FROM x\n", 2, "FROM isn't allowed as an ONBUILD trigger");
    refused(
        "FROM a\nONBUILD ONBUILD RUN x\n",
        2,
        "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
    );
    refused("FROM a\nONBUILD RUNN x\n", 2, "unknown instruction: RUNN (did you mean RUN?)");
}

#[test]
fn health_checks_have_times() {
    assert_eq!(one("HEALTHCHECK NONE"), Instruction::Healthcheck(Healthcheck::None));
    assert_eq!(
        one("HEALTHCHECK --interval=1m1.5s --retries=3 CMD [\"x\"]"),
        Instruction::Healthcheck(Healthcheck::Command {
            command: Command::Exec(strings(&["x"])),
            interval: Some(Duration::from_millis(61_500)),
            timeout: None,
            start_period: None,
            start_interval: None,
            retries: Some(3),
        })
    );
    refused("FROM a\nHEALTHCHECK NONE x\n", 2, "HEALTHCHECK NONE takes no arguments");
    refused("FROM a\nHEALTHCHECK x\n", 2, "Unknown type \"X\" in HEALTHCHECK (try CMD)");
    refused("FROM a\nHEALTHCHECK CMD\n", 2, "Missing command after HEALTHCHECK CMD");
    refused("FROM a\nHEALTHCHECK --retries=-1 CMD x\n", 2, "--retries cannot be negative (-1)");
    for bad in ["1", "x", "1y", "", "-1s", "1.2.3s"] {
        refused(
            &format!("FROM a\nHEALTHCHECK --timeout={bad} CMD x\n"),
            2,
            &format!("time: invalid duration {bad:?}"),
        );
    }
    refused(
        "FROM a\nHEALTHCHECK --timeout=1us CMD x\n",
        2,
        "Interval \"timeout\" cannot be less than 1ms",
    );
}

#[test]
fn files_are_copied_with_flags() {
    let Instruction::Copy(copy) = one(
        "COPY --from=build --chown=1:2 --chmod='0 7' --link --parents=false --exclude=*.md --exclude=x a \"b c\" /d/",
    ) else {
        panic!()
    };
    assert_eq!(copy.sources, [Source::Path("a".into()), Source::Path("\"b c\"".into())]);
    assert_eq!(copy.destination, "/d/");
    assert_eq!(copy.from.as_deref(), Some("build"));
    assert_eq!(copy.chown.as_deref(), Some("1:2"));
    assert_eq!(copy.chmod.as_deref(), Some("0 7"));
    assert!(copy.link && !copy.parents);
    assert_eq!(copy.exclude, ["*.md", "x"]);
    let Instruction::Add(add) = one("ADD --checksum=sha256:1 --keep-git-dir [\"a b\", \"/\"]")
    else {
        panic!()
    };
    assert_eq!(add.sources, [Source::Path("a b".into())]);
    assert_eq!((add.checksum.as_deref(), add.keep_git_dir), (Some("sha256:1"), Some(true)));
    assert_eq!(add.unpack, None);
    refused("FROM a\nCOPY\n", 2, "COPY requires at least two arguments.");
    refused(
        "FROM a\nADD x\n",
        2,
        "ADD requires at least two arguments, but only one was provided. Destination could not be determined.",
    );
    refused("FROM a\nCOPY --checksum=x a b\n", 2, "unknown flag: --checksum");
    refused("FROM a\nADD --form=x a b\n", 2, "unknown flag: --form");
    refused("FROM a\nCOPY --from a b\n", 2, "missing a value on flag: --from");
    refused("FROM a\nCOPY --from=a --from=b c d\n", 2, "duplicate flag specified: --from");
    refused("FROM a\nCOPY --link=x a b\n", 2, "expecting boolean value for flag --link, not: x");
}

#[test]
fn documents_stand_behind_their_instruction() {
    let text = "RUN <<EOF\n  echo $a\n# no comment\nEOF\nCOPY <<-\"A\" <<B x /d/\n\tone\n\tA\ntwo\nB\nRUN cat <<x && 3<<y\n1\nx\n2\ny\nRUN \"<<z\"\n";
    let all = instructions(text);
    let [
        Instruction::Run(script),
        Instruction::Copy(copy),
        Instruction::Run(two),
        Instruction::Run(none),
    ] = all.as_slice()
    else {
        panic!("{all:?}")
    };
    assert_eq!(script.command, Command::Shell(String::new()));
    assert_eq!(script.heredocs[0].content, "  echo $a\n# no comment\n");
    assert!(script.heredocs[0].expand);
    let [Source::Heredoc(a), Source::Heredoc(b), Source::Path(_)] = copy.sources.as_slice() else {
        panic!("{copy:?}")
    };
    assert_eq!(
        (a.name.as_str(), a.text().as_str(), a.expand, a.chomp),
        ("A", "one\n", false, true)
    );
    assert_eq!((b.content.as_str(), b.expand), ("two\n", true));
    assert_eq!(two.command, Command::Shell("cat <<x && 3<<y".into()));
    assert_eq!((two.heredocs[1].descriptor, two.heredocs[1].content.as_str()), (3, "2\n"));
    assert!(none.heredocs.is_empty());
    refused("FROM a\nRUN <<EOF\nx\n", 2, "unterminated heredoc");
    refused("FROM a\nCOPY x <<EOF\nx\nEOF\n", 2, "COPY cannot accept a heredoc as a destination");
}

#[test]
fn mounts_are_there_for_one_command() {
    let Instruction::Run(run) = one(
        "RUN --mount=type=cache,target=/c,sharing=locked,mode=0700 --mount=type=secret,id=s,required,env=S --mount='from=x,\"source=a,b\",dst=/d,rw' --mount=type=tmpfs,target=/t,size=2m --network=none --device=d make",
    ) else {
        panic!()
    };
    let [cache, secret, bind, tmpfs] = run.mounts.as_slice() else { panic!("{run:?}") };
    assert_eq!(
        (cache.kind, cache.sharing, cache.mode),
        (MountKind::Cache, Sharing::Locked, Some(0o700))
    );
    assert_eq!(
        (secret.kind, secret.required, secret.env.as_deref()),
        (MountKind::Secret, true, Some("S"))
    );
    assert_eq!(
        (bind.kind, bind.source.as_deref(), bind.read_write),
        (MountKind::Bind, Some("a,b"), Some(true))
    );
    assert_eq!(tmpfs.size, Some(2 << 20));
    assert_eq!(
        (run.network.as_deref(), run.devices.as_slice()),
        (Some("none"), &["d".to_owned()][..])
    );
    for (mount, why) in [
        ("type=nfs,target=/x", "unsupported mount type \"nfs\""),
        ("type=bind", "target is required"),
        ("target", "invalid field 'target' must be a key=value pair"),
        ("target=/x,colour=red", "unexpected key 'colour' in 'colour=red'"),
        ("target=/x,id=y", "unexpected key 'id' for mount type 'bind'"),
        ("type=cache,target=/x,sharing=mine", "unsupported sharing value \"mine\""),
        ("type=tmpfs,target=/x,size=1z", "invalid value for size: 1z"),
        ("type=ssh,mode=9", "invalid value 9 for mode"),
        ("target=/x,ro=maybe", "invalid value for ro: maybe"),
    ] {
        refused(&format!("FROM a\nRUN --mount={mount} x\n"), 2, why);
    }
    refused("FROM a\nRUN\n", 2, "RUN requires at least one argument");
    refused(
        "FROM a\nRUN --network=moon x\n",
        2,
        "invalid network mode \"moon\": default, none, host are known",
    );
}

proptest::proptest! {
    #[test]
    fn no_file_is_too_strange(text in "(?s)(FROM |RUN |COPY |ENV |ONBUILD |HEALTHCHECK |ARG |#|--|=|<<E|E\n|\\\\|\n|\"|'|\\[|\\]|,|[a-z]|\\s|\u{feff}|.){0,60}") {
        let _ = parse(&text);
    }
}
