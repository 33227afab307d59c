//! The engine on a kernel with AppArmor, which is the guest's.

use std::time::Duration;

use testkit::engine::{binary, image_archive};
use testkit::guest::Guest;

const SCRIPT: &str = r#"
echo "kernel $(cat /sys/module/apparmor/parameters/enabled)"
/gantryd --data-root /data --exec-root /run/gantry -H unix:///socket >/gantryd.log 2>&1 &
tries=0
until /gantry -H unix:///socket version >/dev/null 2>&1; do
    tries=$((tries+1)); [ $tries -gt 300 ] && cat /gantryd.log && exit 9
    sleep 0.1
done
g() { /gantry -H unix:///socket "$@"; }
g load -q -i /busybox.tar
echo "loaded $(grep docker-default /sys/kernel/security/apparmor/profiles)"
echo "info $(g info -f '{{.SecurityOptions}}')"
g run -d --name box busybox sleep 300 >/dev/null
own="cat /proc/self/attr/current"
echo "run $(g run --rm busybox $own)"
echo "exec $(g exec box $own)"
echo "exec --privileged $(g exec --privileged box $own)"
echo "asked $(g run --rm --security-opt apparmor=unconfined busybox $own)"
echo "privileged $(g run --rm --privileged busybox $own)"
echo "inspect $(g inspect -f '{{.AppArmorProfile}}' box)"
mounting="--cap-add SYS_ADMIN --security-opt seccomp=unconfined"
g run --rm $mounting busybox mount -t tmpfs x /tmp 2>&1 | sed 's/^/confined: /'
g run --rm $mounting --security-opt apparmor=unconfined busybox mount -t tmpfs x /tmp && echo "unconfined mounts"
g run --rm busybox sh -c 'sleep 9 & kill $! && wait $!; ps >/dev/null && echo works' | sed 's/^/inside: /'
g stop -t 1 box >/dev/null; echo "stopped $(g inspect -f '{{.State.ExitCode}}' box)"
g run --rm --security-opt apparmor=nosuch busybox true 2>&1 | sed 's/^/nosuch: /'
echo -n docker-default > /sys/kernel/security/apparmor/.remove
g run --rm busybox true 2>&1 | sed 's/^/unloaded: /'
kill -HUP %1
until grep -q docker-default /sys/kernel/security/apparmor/profiles; do sleep 0.1; done
echo "reloaded $(g run --rm busybox $own)"
cat /gantryd.log
"#;

#[test]
fn containers_are_under_the_default_profile_unless_they_say_otherwise() {
    let guest =
        Guest::new().and_then(|guest| guest.programs("apparmor", &["/sbin/apparmor_parser"]));
    let guest = match guest {
        Ok(guest) => guest,
        Err(reason) => return testkit::skip("the engine with AppArmor", &reason),
    };
    let guest = ["gantry", "gantryd", "gantry-runtime"]
        .into_iter()
        .fold(guest, |guest, name| guest.file(binary(name), &format!("/{name}")));
    let guest = guest.file(image_archive("busybox"), "/busybox.tar");
    let outcome = guest.limit(Duration::from_secs(300)).run(SCRIPT).expect("the guest boots");
    let console = outcome.console;
    assert_eq!(outcome.status, Some(0), "{console}");
    let shows = |start: &str, rest: &str| {
        let found = console.lines().any(|line| line.starts_with(start) && line.contains(rest));
        assert!(found, "no line {start:?} with {rest:?} in\n{console}");
    };
    shows("kernel ", "Y");
    shows("loaded ", "docker-default (enforce)");
    shows("info ", "name=apparmor");
    for confined in ["run ", "exec ", "exec --privileged ", "reloaded "] {
        shows(confined, "docker-default (enforce)");
    }
    shows("asked ", "unconfined");
    shows("privileged ", "unconfined");
    shows("inspect ", "docker-default");
    shows("confined: ", "denied");
    shows("unconfined mounts", "");
    shows("inside: ", "works");
    shows("stopped ", "137");
    shows("nosuch: ", "AppArmor label \"nosuch\"");
    shows("unloaded: ", "AppArmor label \"docker-default\"");
}
