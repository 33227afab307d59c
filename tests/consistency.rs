//! Whether what a stopped engine left agrees: database, layers, snapshots, blobs, containers' directories, mounts,
//! cgroups and processes. Nothing may be in one of them and not in the others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use testkit::engine::Engine;

type Names = BTreeSet<String>;

/// Fails with everything that does not agree. The engine must have been stopped.
#[track_caller]
pub(crate) fn assert_consistent(engine: &Engine) {
    let wrong = check(engine);
    assert!(wrong.is_empty(), "the engine's roots do not agree:\n{}", wrong.join("\n"));
}

/// Fails with every anonymous volume that no container has: for where containers are removed with theirs.
#[track_caller]
pub(crate) fn assert_no_volume_is_orphaned(engine: &Engine) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database =
        Connection::open_with_flags(engine.data_root().join("gantry.db"), flags).unwrap();
    let volumes = column(&database, "SELECT name FROM volumes");
    let mounted = mounted(&database);
    let orphans: Vec<_> = volumes.difference(&mounted).filter(|name| is_anonymous(name)).collect();
    assert!(orphans.is_empty(), "no container has {orphans:?}");
}

/// All that does not agree, a line each.
pub(crate) fn check(engine: &Engine) -> Vec<String> {
    let root = engine.data_root();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(root.join("gantry.db"), flags).unwrap();
    let mut wrong = sound(&database);
    let column = |sql: &str| column(&database, sql);
    let containers = column("SELECT id FROM containers");
    wrong.extend(differ(
        "containers and snapshots",
        &containers,
        &column("SELECT container FROM snapshots"),
    ));
    wrong.extend(differ(
        "containers and their directories",
        &containers,
        &names(&root.join("containers")),
    ));
    let layers = column("SELECT number FROM layers");
    wrong.extend(differ("layers and their directories", &layers, &names(&root.join("layers"))));
    let used = column("SELECT layer FROM image_layers UNION SELECT layer FROM snapshot_layers");
    wrong.extend(differ("layers and what uses them", &layers, &used));
    let digests = "SELECT id FROM images UNION SELECT root FROM roots
                   UNION SELECT manifest FROM roots WHERE manifest IS NOT NULL";
    let digests =
        column(digests).iter().map(|d| d.trim_start_matches("sha256:").to_owned()).collect();
    wrong.extend(differ("images and blobs", &digests, &names(&root.join("blobs/sha256"))));
    let volumes = column("SELECT name FROM volumes");
    // One that a crash left without is made when it is needed.
    let directories = names(&root.join("volumes"));
    let stray = directories.difference(&volumes);
    wrong.extend(stray.map(|name| format!("volumes/{name} is no volume's")));
    let missing = mounted(&database);
    let missing = missing.difference(&volumes).filter(|name| is_anonymous(name));
    wrong.extend(missing.map(|name| format!("a container has the volume {name}, which is gone")));
    let dangling = column("SELECT name FROM refs WHERE root NOT IN (SELECT root FROM roots)");
    wrong.extend(dangling.iter().map(|name| format!("the name {name} leads to no image")));
    wrong.extend(
        column("SELECT resource FROM leases")
            .iter()
            .map(|what| format!("a lease on {what} is left")),
    );
    for place in ["staging", "trash"] {
        wrong.extend(names(&root.join(place)).iter().map(|name| format!("{place}/{name} is left")));
    }
    let running = running(&database);
    let directories = names(&engine.exec_root().join("c"));
    wrong.extend(differ("running containers and monitors' directories", &running, &directories));
    wrong.extend(strays(engine, &running));
    wrong
}

fn sound(database: &Connection) -> Vec<String> {
    let said: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let mut wrong = if said == "ok" { Vec::new() } else { vec![format!("the database: {said}")] };
    let broken = column(database, "SELECT \"table\" FROM pragma_foreign_key_check");
    wrong.extend(broken.iter().map(|table| format!("a row of {table} refers to nothing")));
    wrong
}

/// Containers' documents by id.
fn records(database: &Connection) -> Vec<(String, Value)> {
    let mut statement = database.prepare("SELECT id, document FROM containers").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let records = rows.map(|row| -> (String, Vec<u8>) { row.unwrap() });
    records.map(|(id, document)| (id, serde_json::from_slice(&document).unwrap())).collect()
}

/// Ids of those whose record says that they have processes.
fn running(database: &Connection) -> Names {
    let is_up = |record: &Value| {
        let status = record["state"]["status"].as_str().unwrap_or_default();
        ["running", "paused", "restarting"].contains(&status)
    };
    let records = records(database);
    records.into_iter().filter(|(_, record)| is_up(record)).map(|(id, _)| id).collect()
}

/// Names of all volumes that containers have.
fn mounted(database: &Connection) -> Names {
    let points = records(database)
        .into_iter()
        .flat_map(|(_, record)| record["mounts"].as_array().cloned().unwrap_or_default());
    let names = points.filter_map(|point| Some(point["name"].as_str()?.to_owned()));
    names.filter(|name| !name.is_empty()).collect()
}

fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What lives in the kernel for containers that do not run.
fn strays(engine: &Engine, running: &Names) -> Vec<String> {
    let exec_root = engine.exec_root().join("c").display().to_string();
    let mut wrong = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&exec_root) && !running.iter().any(|id| command.contains(id.as_str())) {
            wrong.push(format!("process {}: {command}", process.file_name().display()));
        }
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let data_root = engine.data_root().display().to_string();
    let ours = table.lines().filter(|line| line.contains(&exec_root) || line.contains(&data_root));
    wrong.extend(ours.map(|line| format!("mount {line}")));
    if running.is_empty() {
        wrong.extend(engine.kernel_objects());
    }
    wrong
}

fn column(database: &Connection, sql: &str) -> Names {
    let mut statement = database.prepare(sql).unwrap();
    let text = |row: &rusqlite::Row<'_>| {
        let value: rusqlite::types::Value = row.get(0)?;
        Ok(match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    };
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}

fn names(directory: &Path) -> Names {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn differ(what: &str, a: &Names, b: &Names) -> Vec<String> {
    let only = |side: &str, a: &Names, b: &Names| -> Vec<String> {
        a.difference(b).map(|name| format!("{what}: {name} is in the {side} only")).collect()
    };
    [only("first", a, b), only("second", b, a)].concat()
}

#[test]
fn what_does_not_agree_is_found() {
    let mut engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "busybox"]).ok();
    engine.stop();
    assert_consistent(&engine);
    let stray = engine.data_root().join("layers/999");
    fs::create_dir(&stray).unwrap();
    fs::create_dir_all(engine.exec_root().join("c/stray")).unwrap();
    let wrong = check(&engine).join("\n");
    assert!(wrong.contains("layers and their directories: 999 is in the second only"), "{wrong}");
    assert!(wrong.contains("monitors' directories: stray is in the second only"), "{wrong}");
    fs::remove_dir(stray).unwrap();
}
