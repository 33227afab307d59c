//! The cases of `compose config` against Docker Compose itself: what their files say of it is what it says.

use testkit::engine::finish;
use testkit::peers::Peers;

use crate::compose::cases::{self, Said};

#[test]
fn docker_compose_says_what_the_cases_say_of_it() {
    let Some(peers) = Peers::at_hand("the cases of compose config on Docker Compose") else {
        return;
    };
    let root = format!("/tmp/compose-cases-{}", std::process::id());
    let mut wrong = Vec::new();
    for mut case in cases::all() {
        case.unpack(&peers.outside(&root));
        let mut command = peers.inside();
        command.args(["env", "-C", &format!("{root}/{}", case.name)]).args(&case.env);
        let output = finish(command.arg("docker-compose").args(&case.args));
        let said = case.said(&output, &root);
        let same = |before: &Said| {
            before.code == said.code
                && before.stdout.trim_end() == said.stdout.trim_end()
                && before.stderr.trim_end() == said.stderr.trim_end()
        };
        if cases::is_update() {
            case.docker = Some(said);
            case.save();
        } else if !case.docker.as_ref().is_some_and(same) {
            wrong.push(format!("{}: {:#?} is now {said:#?}", case.name, case.docker));
        }
    }
    peers.sh(&format!("rm -rf {root}")).ok();
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}
