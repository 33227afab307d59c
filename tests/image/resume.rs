//! Pulls that break off, and pulls at once: no byte is fetched for nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use testkit::engine::Engine;

use super::shelf::{Image, Shelf};

/// The bytes of blobs that are on the way when a connection breaks: in the sockets' buffers.
const IN_FLIGHT: u64 = 8 << 20;

pub(super) fn shelf(images: &[(&str, Image)], cut_every: u64) -> Arc<Shelf> {
    let images: HashMap<_, _> =
        images.iter().map(|(name, image)| ((*name).to_owned(), image.clone())).collect();
    Arc::new(Shelf { images, cut_every, ..Shelf::default() })
}

fn size(image: &Image) -> u64 {
    image.blobs.values().map(|blob| blob.len() as u64).sum()
}

#[test]
fn a_connection_that_is_cut_every_5_mb_costs_no_byte_twice() {
    let image = Image::new(&[1, 2], 40 << 20);
    let shelf = shelf(&[("big", image.clone())], 5 << 20);
    let server = shelf.serve();
    let engine = Engine::start();
    engine.gantry(&["pull", "-q", &format!("{}/big:1", server.address())]).ok();
    let (sent, whole) = (shelf.total(), size(&image));
    // What was written but not read by whoever hung up counts as sent here.
    assert!(sent <= whole + whole / 100, "{sent} bytes of {whole}");
}

/// A pull of which more than `least` bytes have arrived, and the file that they are in.
fn begin_pull(engine: &mut Engine, name: &str, image: &Image, least: u64) -> (Child, PathBuf) {
    let pull = engine.command(&["pull", "-q", name]).spawn().unwrap();
    let layer = image.layers[0].trim_start_matches("sha256:");
    let file = engine.data_root().join("downloads").join(layer);
    engine.wait_until("that much has arrived", |_| {
        std::fs::metadata(&file).is_ok_and(|file| file.len() > least)
    });
    (pull, file)
}

#[test]
fn a_pull_goes_on_where_a_killed_engine_was() {
    let image = Image::new(&[3], 64 << 20);
    let shelf = shelf(&[("big", image.clone())], 0);
    shelf.stop_at.store(40 << 20, Ordering::Release);
    let server = shelf.serve();
    let mut engine = Engine::start();
    let name = format!("{}/big:1", server.address());
    let (mut pull, file) = begin_pull(&mut engine, &name, &image, 32 << 20);
    engine.kill();
    assert!(!pull.wait().unwrap().success());
    let arrived = std::fs::metadata(&file).unwrap().len();
    shelf.stop_at.store(0, Ordering::Release);
    engine.launch();
    let before = shelf.total();
    engine.gantry(&["pull", "-q", &name]).ok();
    let fetched = shelf.total() - before;
    assert_eq!(fetched, size(&image) - arrived);
    assert!(!file.exists());
}

#[test]
fn what_a_client_gave_up_is_kept_for_the_next() {
    let image = Image::new(&[4], 32 << 20);
    let shelf = shelf(&[("big", image.clone())], 0);
    shelf.stop_at.store(16 << 20, Ordering::Release);
    let server = shelf.serve();
    let mut engine = Engine::start();
    let name = format!("{}/big:1", server.address());
    let (mut pull, _) = begin_pull(&mut engine, &name, &image, 8 << 20);
    pull.kill().unwrap();
    pull.wait().unwrap();
    shelf.stop_at.store(0, Ordering::Release);
    engine.gantry(&["pull", "-q", &name]).ok();
    let (sent, whole) = (shelf.total(), size(&image));
    let config = image.blobs.values().map(Vec::len).min().unwrap() as u64;
    assert!(sent <= whole + config + IN_FLIGHT, "{sent} bytes of {whole}");
}

#[test]
fn fifty_pulls_of_ten_images_fetch_each_layer_once() {
    let names: Vec<String> = (0..10).map(|n| format!("app{n}")).collect();
    let images: Vec<(&str, Image)> = names
        .iter()
        .zip(0..)
        .map(|(name, n)| (name.as_str(), Image::new(&[100, 101, 200 + n], 1 << 20)))
        .collect();
    let shelf = shelf(&images, 0);
    let server = shelf.serve();
    let engine = Engine::start();
    let failed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for round in 0..50 {
            let name = format!("{}/app{}:1", server.address(), round % 10);
            let (engine, failed) = (&engine, &failed);
            scope.spawn(move || {
                let output = engine.gantry(&["pull", "-q", &name]);
                if output.code != 0 {
                    eprintln!("{}", output.stderr);
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    let sent = shelf.sent.lock().unwrap();
    for (_, image) in &images {
        for layer in &image.layers {
            assert_eq!(sent[layer], image.blobs[layer].len() as u64, "{layer}");
        }
    }
    assert_eq!(engine.gantry(&["images", "-q"]).ok().lines().count(), 10);
}

#[test]
fn the_engine_stays_small_while_it_pulls() {
    let image = Image::new(&[11, 12, 13, 14], 76 << 20);
    let shelf = shelf(&[("big", image)], 0);
    let server = shelf.serve();
    let engine = Engine::start();
    engine.gantry(&["pull", "-q", &format!("{}/big:1", server.address())]).ok();
    let status = std::fs::read_to_string(format!("/proc/{}/status", engine.daemon_pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("peak {peak} KiB");
    assert!(peak < 60 << 10, "{peak} KiB");
}
