//! Sizes of containers and volumes, on file systems that can hold them to it. The host's kernel need not have quotas,
//! the guest's has.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::engine::{Engine, binary, image_archive};
use testkit::guest::Guest;

/// On the file system `$1` of the disk `$2`. Each line begins with the file system's name.
const SCRIPT: &str = r#"
g() { /gantry -H unix:///$fs.sock "$@"; }
say() { echo "$fs $*"; }
begin() {
    fs=$1; shift
    /gantryd --data-root /disk-$fs/root --exec-root /run/$fs -H unix:///$fs.sock "$@" >/$fs.log 2>&1 &
    engine=$!
    tries=0
    until g version >/dev/null 2>&1; do
        tries=$((tries+1)); [ $tries -gt 300 ] && cat /$fs.log && exit 9
        sleep 0.1
    done
}
try() {
    fs=$1
    mkdir /disk-$fs
    mount -t $fs -o prjquota $2 /disk-$fs || exit 8
    write='dd if=/dev/zero of=$0/big bs=64k count=160 2>/dev/null; s=$(stat -c %s $0/big); [ $s -gt $(($1 / 2)) ] && [ $s -le $1 ] && echo held || echo $s'
    begin $fs --storage-opt=overlay2.override_kernel_check=true
    g load -q -i /busybox.tar >/dev/null
    say root $(g run --rm --storage-opt size=4m busybox sh -c "$write" '' 4194304)
    say free $(g run --rm busybox sh -c "$write" '' 4194304)
    say df $(g run --rm --storage-opt size=4m busybox df -k / | awk 'END { print $2 }')
    say moved $(g run --rm --storage-opt size=4m busybox sh -c 'rm /etc/group; mv /etc/passwd /etc/p; rm -r /home; mkdir /home; ls -d /etc/p /home')
    g volume create -o size=2m small >/dev/null
    say volume $(g run --rm -v small:/v busybox sh -c "$write" /v 2097152)
    say filled $(g run --rm --mount type=volume,src=filled,dst=/etc,volume-opt=size=2m busybox sh -c "ls /etc/passwd; $write" /etc 2097152)
    say anonymous $(g run --rm --mount type=volume,dst=/v,volume-opt=size=2m busybox sh -c "$write" /v 2097152)
    g volume create kept >/dev/null
    g volume restore filled kept
    say restored $(g run --rm -v filled:/v busybox sh -c "ls /v; $write" /v 2097152)
    say options $(g volume inspect -f '{{json .Options}}' small)
    g create --name one --storage-opt size=4m busybox sh -c "$write" '' 4194304 >/dev/null
    say inspect $(g inspect -f '{{json .HostConfig.StorageOpt}}' one)
    kill -9 $engine; wait $engine
    begin $fs --storage-opt overlay2.size=3m
    say one $(g start -a one)
    g create --name two --storage-opt size=4m busybox sh -c "$write" '' 4194304 >/dev/null
    say two $(g start -a two)
    say default $(g run --rm busybox sh -c "$write" '' 3145728)
    say unlimited $(g run --rm --storage-opt size=0 busybox sh -c "$write" '' 4194304)
    say bad $(g create --storage-opt size=x busybox 2>&1)
    g rm one two >/dev/null
    kill $engine; wait $engine
    umount /disk-$fs && say unmounted
}
"#;

/// A file system with projects in a file; false where its tool is not there.
fn made(image: &Path, size: u64, command: &[&str]) -> bool {
    File::create(image).unwrap().set_len(size).unwrap();
    let mut make = Command::new(command[0]);
    make.args(&command[1..]).arg(image).stdout(Stdio::null()).stderr(Stdio::null());
    make.status().is_ok_and(|status| status.success())
}

#[test]
fn containers_and_volumes_are_held_to_their_sizes() {
    let mut guest = match Guest::new() {
        Ok(guest) => guest,
        Err(reason) => return testkit::skip("quotas in the second kernel", &reason),
    };
    let dir = tempfile::tempdir().unwrap();
    let file_systems: [(&str, u64, &[&str]); 2] = [
        ("ext4", 64 << 20, &["mkfs.ext4", "-q", "-O", "quota,project"]),
        ("xfs", 320 << 20, &["mkfs.xfs", "-q"]),
    ];
    let (mut script, mut there) = (SCRIPT.to_owned(), Vec::new());
    for (name, size, command) in file_systems {
        let image = dir.path().join(name);
        if made(&image, size, command) {
            let disk = ["/dev/vda", "/dev/vdb"][there.len()];
            script.push_str(&format!("try {name} {disk}\n"));
            guest = guest.disk(image);
            there.push(name);
        } else {
            testkit::skip(&format!("quotas on {name}"), &format!("no {}", command[0]));
        }
    }
    for name in ["gantry", "gantryd", "gantry-runtime"] {
        guest = guest.file(binary(name), &format!("/{name}"));
    }
    let guest = guest.file(image_archive("busybox"), "/busybox.tar").memory(1024);
    let outcome = guest.limit(Duration::from_secs(240)).run(&script).expect("the guest boots");
    assert_eq!(outcome.status, Some(0), "{}", outcome.console);
    let expected = [
        "root held",
        "free 10485760",
        "df 4096",
        "moved /etc/p /home",
        "volume held",
        "filled /etc/passwd held",
        "anonymous held",
        "restored held",
        r#"options {"size":"2m"}"#,
        r#"inspect {"size":"4m"}"#,
        "one held",
        "two held",
        "default held",
        "unlimited 10485760",
        "bad Error response from daemon: invalid size: 'x'",
        "unmounted",
    ];
    for name in there {
        for line in expected {
            let line = format!("{name} {line}");
            assert!(
                outcome.console.lines().any(|shown| shown == line),
                "{line}\n{}",
                outcome.console
            );
        }
    }
}

#[test]
fn a_size_is_refused_where_nothing_could_hold_it() {
    // Memory has no projects.
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = place.path().join("data");
    let root = root.to_str().unwrap();
    let mut engine = Engine::start_with(&["--data-root", root]);
    engine.load("busybox");
    let said = engine.gantry(&["create", "--storage-opt", "size=1g", "busybox"]).fails(1);
    assert!(said.ends_with(
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
    ));
    let said = engine.gantry(&["volume", "create", "-o", "size=1g", "data"]).fails(1);
    assert!(said.ends_with("quota size requested but no quota support"), "{said}");
    engine.gantry(&["rmi", "-f", "busybox", "alpine"]);
    engine.stop();
    let mut refused = engine.daemon_command();
    let said =
        testkit::engine::finish(refused.args(["--storage-opt", "overlay2.size=1g"])).fails(1);
    assert!(said.contains("Storage option overlay2.size not supported"), "{said}");
}
