use super::*;

fn findings_with(text: &str, options: &str, ignored: &str) -> Vec<(String, usize, String)> {
    let file = crate::dockerfile::parse(text).unwrap();
    let ignore = Ignore::parse(ignored).unwrap();
    let variables = |image: &str| match image {
        "base" => Some(vec![String::from("PATH")]),
        _ => None,
    };
    let known = Known { ignore: Some(&ignore), variables: &variables };
    let options = Options::parse(options).unwrap();
    check(&file, &known, &options)
        .into_iter()
        .map(|finding| (finding.rule.name.to_owned(), *finding.lines.start(), finding.message))
        .collect()
}

#[track_caller]
fn finds(text: &str, expected: &[(&str, usize, &str)]) {
    let found = findings_with(text, "", "");
    let found: Vec<_> = found.iter().map(|(rule, line, text)| (&**rule, *line, &**text)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn a_good_file_has_no_findings() {
    finds(
        "ARG V=12\nFROM --platform=$BUILDPLATFORM debian:$V AS build\nARG TARGETARCH\nENV A=1 B=$A\nWORKDIR /src\nWORKDIR sub\nCOPY . .\nRUN make $ANYTHING\nFROM base\nENV PATH=/x:$PATH\nEXPOSE 80/tcp\nARG PUBLIC_KEY\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\n",
        &[],
    );
}

#[test]
fn casing_is_the_same_everywhere() {
    finds(
        "FROM a AS b\nrun x\nRUN y\nRun z\n",
        &[
            (
                "ConsistentInstructionCasing",
                2,
                "Command 'run' should match the case of the command majority (uppercase)",
            ),
            (
                "ConsistentInstructionCasing",
                4,
                "Command 'Run' should match the case of the command majority (uppercase)",
            ),
        ],
    );
    finds(
        "from a as b\nrun x\nRUN y\n",
        &[(
            "ConsistentInstructionCasing",
            3,
            "Command 'RUN' should match the case of the command majority (lowercase)",
        )],
    );
    finds("FROM a as b\n", &[("FromAsCasing", 1, "'as' and 'FROM' keywords' casing do not match")]);
}

#[test]
fn stages_have_names_of_their_own() {
    finds(
        "FROM a AS B\nFROM a AS b\nFROM a AS scratch\n",
        &[
            ("StageNameCasing", 1, "Stage name 'B' should be lowercase"),
            ("DuplicateStageName", 2, "Duplicate stage name \"b\", stage names should be unique"),
            (
                "ReservedStageName",
                3,
                "Stage name should not use the same name as reserved stage \"scratch\"",
            ),
        ],
    );
}

#[test]
fn bases_are_declared_and_valid() {
    finds(
        "ARG VERSION\nFROM base:$VERSION\nFROM a:${VERSIN}\n",
        &[
            (
                "InvalidDefaultArgInFrom",
                2,
                "Default value for ARG base:$VERSION results in empty or invalid base image name",
            ),
            (
                "UndefinedArgInFrom",
                3,
                "FROM argument 'VERSIN' is not declared (did you mean VERSION?)",
            ),
        ],
    );
    finds(
        "FROM --platform=linux/amd64 a\nFROM --platform=linux/amd64 a AS x-amd64\nFROM --platform=$TARGETPLATFORM a\n",
        &[
            (
                "FromPlatformFlagConstDisallowed",
                1,
                "FROM --platform flag should not use constant value \"linux/amd64\"",
            ),
            (
                "RedundantTargetPlatform",
                3,
                "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
            ),
        ],
    );
}

#[test]
fn what_counts_once_is_there_once_and_in_json() {
    finds(
        "FROM a\nCMD x\nCMD [\"y\"]\nENTRYPOINT z\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\n",
        &[
            (
                "MultipleInstructionsDisallowed",
                2,
                "Multiple CMD instructions should not be used in the same stage because only the last one will be used",
            ),
            (
                "JSONArgsRecommended",
                4,
                "JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
            ),
            (
                "MultipleInstructionsDisallowed",
                5,
                "Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used",
            ),
        ],
    );
    finds("FROM a\nSHELL [\"bash\", \"-c\"]\nCMD x\n", &[]);
}

#[test]
fn variables_are_defined_before_they_are_used() {
    finds(
        "FROM base AS one\nARG A\nENV B=$A$C D=${E:-x} F=$https_proxy PATH=$PAHT\nFROM one\nUSER $A$B\nFROM unknown\nUSER $X\n",
        &[
            ("UndefinedVar", 3, "Usage of undefined variable '$C' (did you mean A?)"),
            ("UndefinedVar", 3, "Usage of undefined variable '$PAHT' (did you mean PATH?)"),
            ("UndefinedVar", 5, "Usage of undefined variable '$A' (did you mean B?)"),
        ],
    );
}

#[test]
fn single_instructions_have_rules_of_their_own() {
    finds(
        "FROM a\nMAINTAINER me\nWORKDIR x\nENV a b\nLABEL c d\nARG GITHUB_TOKEN\nENV password=x\nEXPOSE 80/TCP 127.0.0.1:80:80\nENV e=1 \\\n\n f=2\n",
        &[
            (
                "MaintainerDeprecated",
                2,
                "Maintainer instruction is deprecated in favor of using label",
            ),
            (
                "WorkdirRelativePath",
                3,
                "Relative workdir \"x\" can have unexpected results if the base image changes",
            ),
            (
                "LegacyKeyValueFormat",
                4,
                "\"ENV key=value\" should be used instead of legacy \"ENV key value\" format",
            ),
            (
                "LegacyKeyValueFormat",
                5,
                "\"LABEL key=value\" should be used instead of legacy \"LABEL key value\" format",
            ),
            (
                "SecretsUsedInArgOrEnv",
                6,
                "Do not use ARG or ENV instructions for sensitive data (ARG \"GITHUB_TOKEN\")",
            ),
            (
                "SecretsUsedInArgOrEnv",
                7,
                "Do not use ARG or ENV instructions for sensitive data (ENV \"password\")",
            ),
            (
                "ExposeProtoCasing",
                8,
                "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
            ),
            (
                "ExposeInvalidFormat",
                8,
                "EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
            ),
            ("NoEmptyContinuation", 10, "Empty continuation line"),
        ],
    );
}

#[test]
fn options_choose_the_rules() {
    let text = "FROM a AS B\nMAINTAINER me\nCOPY ./x /\nCOPY --from=y x /\n";
    let names = |options: &str| -> Vec<String> {
        findings_with(text, options, "x\n").into_iter().map(|(rule, ..)| rule).collect()
    };
    assert_eq!(names(""), ["StageNameCasing", "MaintainerDeprecated"]);
    assert_eq!(names("skip=StageNameCasing;error=true"), ["MaintainerDeprecated"]);
    assert_eq!(names("skip=all"), [""; 0]);
    assert_eq!(
        names("experimental=CopyIgnoredFile"),
        ["StageNameCasing", "MaintainerDeprecated", "CopyIgnoredFile"]
    );
    assert!(Options::parse("error=1").unwrap().error);
    for wrong in ["x", "x=y", "error=maybe"] {
        assert!(Options::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        JSON_ARGS_RECOMMENDED.url(),
        "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"
    );
}
