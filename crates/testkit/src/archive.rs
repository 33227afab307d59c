//! Writing image archives in the format of `docker save` before OCI layouts: a config, layer tars, and a
//! manifest.json that names them. Written from files, so that an image may be larger than memory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An image to be written.
pub struct Image {
    /// References, `name:tag`.
    pub tags: Vec<String>,
    /// Uncompressed layer tars, lowest first.
    pub layers: Vec<PathBuf>,
    /// The `config` object of the image configuration: Cmd, Env, ...
    pub config: Value,
    /// RFC 3339.
    pub created: String,
}

/// Writes the archive. The same image gives the same bytes.
pub fn write(image: &Image, to: &Path) -> io::Result<()> {
    let diff_ids =
        image.layers.iter().map(|layer| sha256_file(layer)).collect::<io::Result<Vec<_>>>()?;
    let config = config(image, &diff_ids).to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let layer_names: Vec<String> = diff_ids.iter().map(|id| format!("{id}/layer.tar")).collect();
    let manifest =
        json!([{ "Config": config_name, "RepoTags": image.tags, "Layers": layer_names }]);

    let mut tar = tar::Builder::new(io::BufWriter::new(File::create(to)?));
    append(&mut tar, &config_name, config.len() as u64, config.as_bytes())?;
    append(
        &mut tar,
        "manifest.json",
        manifest.to_string().len() as u64,
        manifest.to_string().as_bytes(),
    )?;
    for (name, path) in layer_names.iter().zip(&image.layers) {
        let layer = File::open(path)?;
        append(&mut tar, name, layer.metadata()?.len(), layer)?;
    }
    tar.into_inner()?.flush()
}

/// The sha256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn config(image: &Image, diff_ids: &[String]) -> Value {
    let history: Vec<Value> = image
        .layers
        .iter()
        .map(|_| json!({ "created": image.created, "created_by": "xtask images" }))
        .collect();
    let diff_ids: Vec<String> = diff_ids.iter().map(|id| format!("sha256:{id}")).collect();
    json!({
        "architecture": architecture(), "os": "linux", "created": image.created, "config": image.config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history,
    })
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    size: u64,
    data: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, data)
}

fn sha256_file(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&chunk[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
