//! On cgroup v2, where a cgroup was delegated to the user.

use std::path::Path;
use std::process::Command;

use testkit::guest::Guest;

use crate::engine::cgroup_v2::{guest, run, shows};

const SCRIPT: &str = r#"
echo 'tester:x:1000:1000::/home/tester:/bin/sh' >> /etc/passwd
echo 'tester:x:1000:' >> /etc/group
echo 'tester:100000:65536' > /etc/subuid
echo 'tester:100000:65536' > /etc/subgid
chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap
mkdir -p /home/tester /run/tester /sys/fs/cgroup/tester
chown 1000:1000 /home/tester /run/tester
# As systemd delegates to a service of a user.
echo '+cpu +memory +pids' > /sys/fs/cgroup/cgroup.subtree_control
chown 1000:1000 /sys/fs/cgroup/tester /sys/fs/cgroup/tester/cgroup.procs /sys/fs/cgroup/tester/cgroup.subtree_control
export HOME=/home/tester XDG_RUNTIME_DIR=/run/tester PATH=/:/bin
cat > /as-tester << 'end'
tries=0
until gantry -H unix:///run/tester/gantry/gantry.sock version > /dev/null 2>&1; do
    tries=$((tries+1)); [ $tries -gt 300 ] && exit 9
    sleep 0.1
done
gantry load -q -i /busybox.tar
echo "memory $(gantry run --rm --memory 32m busybox cat /sys/fs/cgroup/memory.max)"
echo "cpu $(gantry run --rm --cpus 0.5 busybox cat /sys/fs/cgroup/cpu.max)"
echo "pids $(gantry run --rm --pids-limit 20 busybox cat /sys/fs/cgroup/pids.max)"
gantry run -d --name box busybox sleep 60 > /dev/null
gantry pause box > /dev/null
echo "frozen $(gantry inspect -f '{{.State.Status}}' box)"
gantry unpause box > /dev/null
gantry exec box true && echo "entered"
gantry rm -f box > /dev/null
echo "driver $(gantry info -f '{{.CgroupDriver}} {{.CgroupVersion}}')"
kill $(cat /run/tester/gantry/gantry.pid)
end
(echo 0 > /sys/fs/cgroup/tester/cgroup.procs; exec su -p tester -c 'exec gantryd') > /gantryd.log 2>&1 &
su -p tester -c 'sh /as-tester'
status=$?
cat /gantryd.log
(exit $status)
"#;

#[test]
fn limits_are_enforced_below_the_delegated_cgroup() {
    let Some(guest) = guest("limits of a rootless engine on cgroup v2") else { return };
    let guest = ["newuidmap", "newgidmap"].into_iter().fold(guest, with_program);
    let console = run(guest, SCRIPT);
    shows(&console, "memory 33554432");
    shows(&console, "cpu 50000 100000");
    shows(&console, "pids 20");
    shows(&console, "frozen paused");
    shows(&console, "entered");
    shows(&console, "driver cgroupfs 2");
}

/// A program of the host's with the libraries that it is linked with.
fn with_program(guest: Guest, name: &str) -> Guest {
    let program = format!("/usr/bin/{name}");
    let output = Command::new("ldd").arg(&program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    libraries.fold(guest.file(&program, &program), |guest, library| {
        guest.file(Path::new(library).canonicalize().unwrap(), library)
    })
}
