//! An image of four layers, 305 MB, pushed to a registry on the engine's host and pulled from it. The registry is ours,
//! for everybody.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use testkit::archive::{self, Image};

use super::builds::place;
use super::contestant::Contestant;
use crate::Result;

const LAYERS: usize = 4;
const LAYER: usize = 76 << 20;
/// What it says once it serves.
const READY: &str = "the registry on ";

/// A copy of this program that runs the registry, as long as its input is open.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

impl Server {
    /// `command` runs this program; `program` is our engine, where that runs. One for each contestant.
    pub(super) fn start(command: &mut Command, program: &str, contestant: &str) -> Result<Self> {
        let failed = |error: io::Error| format!("start a registry: {error}");
        let root = place(&format!("registry-{contestant}"));
        let command = command.args(["bench-agent", "registry", program, &root]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let mut address = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut address).map_err(failed)?;
        }
        let server = Self { child, address: address.trim().to_owned() };
        if server.address.is_empty() { Err("no registry starts".into()) } else { Ok(server) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("bench: wait for the registry: {error}");
        }
    }
}

/// Runs a registry in a folder that goes with it, and prints its address.
pub(super) fn serve(program: &str, root: &str) -> Result {
    let failed = |error: io::Error| format!("{program}: {error}");
    let mut command = Command::new(program);
    command.args(["registry-serve", "--address=127.0.0.1:0", "--access-log=false"]);
    command.arg(format!("--root={root}")).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let served = until_told(&mut child).map_err(failed);
    let ended = child.kill().and_then(|()| child.wait()).map_err(failed);
    let removed = fs::remove_dir_all(root).map_err(|error| format!("{root}: {error}"));
    served.and(ended.map(drop)).and(removed)
}

fn until_told(child: &mut Child) -> io::Result<()> {
    let log = child.stderr.take().ok_or_else(|| io::Error::other("no log"))?;
    let mut log = BufReader::new(log);
    let mut line = String::new();
    while !line.contains(READY) {
        line.clear();
        if log.read_line(&mut line)? == 0 {
            return Err(io::Error::other("it ended"));
        }
    }
    let address = line.split(READY).nth(1).and_then(|rest| rest.split(' ').next());
    println!("{}", address.unwrap_or_default());
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

/// `layers DIR NAME`: an archive of an image that there never was.
pub(super) fn write_image(folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut seed = now.as_nanos() as u64 | 1;
    let mut layers = Vec::new();
    for number in 0..LAYERS {
        let path = folder.join(format!("layer-{number}.tar"));
        let mut tar = tar::Builder::new(BufWriter::new(File::create(&path)?));
        let mut header = tar::Header::new_gnu();
        header.set_size(LAYER as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, format!("file-{number}"), &content(&mut seed)[..])?;
        tar.into_inner()?.flush()?;
        layers.push(path);
    }
    let image = Image {
        tags: vec![name.to_owned()],
        layers,
        config: json!({ "Cmd": ["none"] }),
        created: "2026-01-01T00:00:00Z".into(),
    };
    archive::write(&image, &folder.join("image.tar"))
}

/// Half of it is noise and half of it the same words: as well compressed as programs are.
fn content(seed: &mut u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LAYER);
    while bytes.len() < LAYER {
        for _ in 0..4 {
            // Marsaglia's xorshift.
            *seed ^= *seed << 13;
            *seed ^= *seed >> 7;
            *seed ^= *seed << 17;
            bytes.extend_from_slice(&seed.to_le_bytes());
        }
        bytes.extend_from_slice(b"thirty-two bytes that are alike ");
    }
    bytes.truncate(LAYER);
    bytes
}

/// Milliseconds.
pub(super) fn push_and_pull(contestant: &mut Contestant) -> Result<Vec<f64>> {
    let (folder, name) = (place("layers"), contestant.name_in_registry("gantry-bench-layers:v1"));
    contestant.host_told(&["bench-agent", "layers", &folder, &name])?;
    let measured = measure(contestant, &folder, &name);
    contestant.host_told(&["bench-agent", "forget", &folder])?;
    // What failed may have left it.
    let _ = contestant.run(&["rmi", "-f", &name]);
    measured
}

fn measure(contestant: &mut Contestant, folder: &str, name: &str) -> Result<Vec<f64>> {
    contestant.load(&Path::new(folder).join("image.tar"))?;
    let pushed = contestant.run_in_clear("push", name)?;
    contestant.run(&["rmi", "-f", name])?;
    let pulled = contestant.run_in_clear("pull", name)?;
    Ok([pushed, pulled].map(|seconds| seconds * 1000.0).to_vec())
}
