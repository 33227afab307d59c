//! The guest itself: that it boots, runs what it is given, and says how that ended.

use std::time::Duration;

use testkit::guest::Guest;

#[test]
fn boots_to_a_script_and_returns_its_status() {
    let guest = match Guest::new() {
        Ok(guest) => guest.file("/bin/busybox", "/opt/busybox"),
        Err(reason) => return testkit::skip("guest", &reason),
    };
    let outcome = guest
        .limit(Duration::from_secs(90))
        .run("cat /sys/fs/cgroup/cgroup.controllers; /opt/busybox echo from a file; exit 7")
        .unwrap();
    assert_eq!(outcome.status, Some(7), "{}", outcome.console);
    assert!(
        outcome.console.contains("cpuset cpu io memory hugetlb pids rdma"),
        "{}",
        outcome.console
    );
    assert!(outcome.console.contains("from a file"));
}
