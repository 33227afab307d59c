//! Decisions of the program, by an independent interpreter, and of the rules themselves.

use super::*;

fn rule(
    allow: bool,
    kind: &str,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> DeviceRule {
    DeviceRule { allow, kind: kind.to_owned(), major, minor, access: access.to_owned() }
}

fn decide(rules: &[Rule], kind: Kind, access: i32, major: i32, minor: i32) -> bool {
    let bytes: Vec<u8> = program(rules).iter().flat_map(|insn| insn.to_bytes()).collect();
    let vm = rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap();
    let mut context = Vec::new();
    for word in [(access << 16) | kind as i32, major, minor] {
        context.extend(word.to_ne_bytes());
    }
    vm.execute_program(&mut context).unwrap() == 1
}

#[test]
fn every_container_has_null_and_may_make_nodes_but_opens_no_disk() {
    let rules = rules(&[]).unwrap();
    assert!(decide(&rules, Kind::Char, READ | WRITE, 1, 3));
    assert!(decide(&rules, Kind::Char, READ, 136, 17));
    assert!(decide(&rules, Kind::Block, MKNOD, 8, 0));
    assert!(!decide(&rules, Kind::Block, READ, 8, 0));
    assert!(!decide(&rules, Kind::Char, READ, 10, 229));
    assert!(!decide(&rules, Kind::Block, READ, 1, 3), "block 1:3 is a ram disk, not null");
}

#[test]
fn the_last_rule_that_matches_decides() {
    let rules = rules(&[
        rule(false, "a", None, None, "rwm"),
        rule(true, "c", Some(10), Some(229), "rw"),
        rule(true, "b", Some(8), Some(-1), "r"),
        rule(false, "b", Some(8), Some(1), "r"),
    ])
    .unwrap();
    assert!(decide(&rules, Kind::Char, READ | WRITE, 10, 229));
    assert!(!decide(&rules, Kind::Char, READ, 10, 200));
    assert!(decide(&rules, Kind::Block, READ, 8, 0));
    assert!(!decide(&rules, Kind::Block, READ, 8, 1));
    assert!(!decide(&rules, Kind::Block, READ | WRITE, 8, 0), "only half of it is allowed");
}

#[test]
fn permissions_add_up() {
    let rules =
        rules(&[rule(true, "b", Some(8), None, "r"), rule(true, "b", Some(8), None, "w")]).unwrap();
    assert!(decide(&rules, Kind::Block, READ | WRITE, 8, 0));
    assert!(!decide(&rules, Kind::Block, READ | WRITE, 9, 0));
}

#[test]
fn a_privileged_container_has_everything_in_one_rule() {
    let rules = rules(&[rule(true, "a", None, None, "rwm")]).unwrap();
    assert_eq!(rules.len(), 1);
    assert!(decide(&rules, Kind::Block, EVERY_ACCESS, 8, 0));
}

#[test]
fn all_kinds_with_a_number_do_not_become_everything() {
    let rules = rules(&[rule(true, "a", Some(5), Some(1), "rwm")]).unwrap();
    assert_eq!(line(&rules[0]), "a *:* rwm");
    assert_eq!(line(&rules[1]), "b 5:1 rwm");
    assert_eq!(line(&rules[2]), "c 5:1 rwm");
    assert!(!decide(&rules, Kind::Block, READ, 8, 0));
    assert!(decide(&rules, Kind::Char, READ, 5, 1));
}

#[test]
fn refused() {
    for bad in [
        rule(true, "x", None, None, "r"),
        rule(true, "c", Some(-2), None, "r"),
        rule(true, "c", Some(1 << 40), None, "r"),
        rule(true, "c", None, None, "rx"),
    ] {
        assert!(rules(std::slice::from_ref(&bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn systemd_is_told_what_is_allowed_by_its_names() {
    let known = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  8 sd\n136 other\n";
    let pair = |name: &str, access: &str| (name.to_owned(), access.to_owned());
    let told = |devices: Vec<DeviceRule>| {
        for_systemd(&Resources { devices, ..Resources::default() }, known).unwrap()
    };
    assert_eq!(told(vec![rule(true, "a", None, None, "rwm")]), None);
    let allowed = told(vec![
        rule(true, "b", Some(8), None, "r"),
        rule(true, "b", Some(9), None, "r"),
        rule(true, "c", Some(10), Some(229), "rw"),
        rule(false, "c", Some(10), Some(229), "w"),
    ])
    .unwrap();
    let own = [pair("block-sd", "r"), pair("/dev/char/10:229", "rw")];
    assert_eq!(allowed[..2], own, "there is no driver 9");
    assert!(allowed.contains(&pair("char-*", "m")));
    assert!(allowed.contains(&pair("/dev/char/1:3", "rwm")));
    assert!(allowed.contains(&pair("char-pts", "rwm")));
}
