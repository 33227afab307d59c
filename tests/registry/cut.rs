//! Pushes over connections that are cut: what arrived is not sent again.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use testkit::engine::Engine;

use super::Registry;

const CUT_EVERY: u64 = 5 << 20;
const SIZE: u64 = 24 << 20;

/// Passes connections on and cuts each once so many bytes went to the server. Its threads end with the test's process.
struct Cutter {
    address: String,
    passed: Arc<AtomicU64>,
    cuts: Arc<AtomicU64>,
}

impl Cutter {
    fn before(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (passed, cuts) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (server, counters) = (server.to_owned(), (Arc::clone(&passed), Arc::clone(&cuts)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, counters) = (server.clone(), counters.clone());
                std::thread::spawn(move || pass(&client, &server, &counters));
            }
        });
        Self { address, passed, cuts }
    }
}

fn pass(mut client: &TcpStream, server: &str, (passed, cuts): &(Arc<AtomicU64>, Arc<AtomicU64>)) {
    let mut upstream = TcpStream::connect(server).unwrap();
    let (mut back, mut answers) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    std::thread::spawn(move || {
        // Either side may have gone.
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut piece = [0; 64 << 10];
    let mut here = 0;
    while here < CUT_EVERY {
        let read = client.read(&mut piece).unwrap_or(0);
        if read == 0 || upstream.write_all(&piece[..read]).is_err() {
            let _ = upstream.shutdown(Shutdown::Write);
            return;
        }
        here += read as u64;
        passed.fetch_add(read as u64, Ordering::Relaxed);
    }
    cuts.fetch_add(1, Ordering::Relaxed);
    let _ = upstream.shutdown(Shutdown::Write);
    let _ = client.shutdown(Shutdown::Both);
}

/// An image of one layer that no compression makes smaller.
fn import(engine: &Engine, name: &str) {
    let mut noise = Vec::new();
    File::open("/dev/urandom").unwrap().take(SIZE).read_to_end(&mut noise).unwrap();
    let path = engine.scratch().join("noise.tar");
    let mut tar = tar::Builder::new(File::create(&path).unwrap());
    let mut header = tar::Header::new_ustar();
    header.set_size(SIZE);
    header.set_mode(0o644);
    tar.append_data(&mut header, "noise", noise.as_slice()).unwrap();
    tar.finish().unwrap();
    engine.gantry(&["import", path.to_str().unwrap(), name]).ok();
}

#[test]
fn a_push_that_is_cut_goes_on_where_it_was() {
    let registry = Registry::start();
    let cutter = Cutter::before(&registry.address);
    let engine = Engine::start();
    let name = format!("{}/noise:1", cutter.address);
    import(&engine, &name);
    engine.gantry(&["push", "-q", &name]).ok();
    assert!(cutter.cuts.load(Ordering::Relaxed) >= SIZE / CUT_EVERY, "it was not cut");
    let passed = cutter.passed.load(Ordering::Relaxed);
    assert!(passed < SIZE + SIZE / 20, "{passed} bytes were sent for {SIZE}");
    engine.gantry(&["rmi", &name]).ok();
    let direct = format!("{}/noise:1", registry.address);
    assert_eq!(engine.gantry(&["pull", "-q", &direct]).ok(), direct);
}
