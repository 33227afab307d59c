//! A registry of the test's own, which answers as the test wants: it serves one image, counts what it sends, cuts
//! connections, and lies.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use testkit::archive::sha256;

/// One request, as far as a registry looks at it.
pub(crate) struct Request {
    pub(crate) path: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace();
        let path = words.nth(1)?.to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        Some(Self { path, headers })
    }
}

/// What is done with a connection after an answer.
pub(crate) enum Then {
    Keep,
    Close,
}

type Answer = dyn Fn(&Request, &mut TcpStream) -> Then + Send + Sync;

/// Listens on the loopback until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    ended: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(
        answer: impl Fn(&Request, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let (end, answer): (_, Arc<Answer>) = (Arc::clone(&ended), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, &*answer));
            }
        });
        Self { port, ended }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: TcpStream, answer: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    // A client that tries TLS first gets an end of its connection.
    if !reader.fill_buf().is_ok_and(|start| start.first().is_some_and(u8::is_ascii_uppercase)) {
        return;
    }
    while let Some(request) = Request::read(&mut reader) {
        if let Then::Close = answer(&request, &mut stream) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

/// A head, and a body of known length. The client may be gone.
pub(crate) fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> Then {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    match stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)) {
        Ok(()) => Then::Keep,
        Err(_) => Then::Close,
    }
}

/// An image as a registry has it.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Vec<u8>,
    /// Config and layers by their digests.
    pub(crate) blobs: HashMap<String, Vec<u8>>,
    pub(crate) layers: Vec<String>,
    /// What tags lead to, where it is not the manifest.
    pub(crate) index: Option<Vec<u8>>,
}

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Image {
    /// Of layers with one file each, `size` bytes that do not compress, told apart by `seeds`.
    pub(crate) fn new(seeds: &[u64], size: usize) -> Self {
        let tars: Vec<Vec<u8>> = seeds.iter().map(|seed| layer(*seed, size)).collect();
        Self::of_layers(tars)
    }

    pub(crate) fn of_layers(tars: Vec<Vec<u8>>) -> Self {
        let layers: Vec<String> = tars.iter().map(|tar| digest(tar)).collect();
        let config = serde_json::json!({
            "architecture": if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" },
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": layers },
        });
        let config = serde_json::to_vec(&config).unwrap();
        let descriptor = |kind: &str, digest: &str, size: usize| serde_json::json!({ "mediaType": kind, "digest": digest, "size": size });
        let kind = "application/vnd.oci.image.layer.v1.tar";
        let entries: Vec<_> = tars
            .iter()
            .zip(&layers)
            .map(|(tar, digest)| descriptor(kind, digest, tar.len()))
            .collect();
        let config_digest = digest(&config);
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(
                "application/vnd.oci.image.config.v1+json", &config_digest, config.len()),
            "layers": entries,
        });
        let mut blobs: HashMap<_, _> = layers.iter().cloned().zip(tars).collect();
        blobs.insert(config_digest, config);
        Self { manifest: serde_json::to_vec(&manifest).unwrap(), blobs, layers, index: None }
    }

    /// Behind an index that has it for this machine, and an attestation of it.
    pub(crate) fn indexed(self) -> Self {
        let entry = |os: &str, architecture: &str, digest: String, size: usize| {
            serde_json::json!({
                "mediaType": MANIFEST,
                "digest": digest,
                "size": size,
                "platform": { "os": os, "architecture": architecture },
            })
        };
        let host = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                entry("unknown", "unknown", digest(b"attestation"), 11),
                entry("linux", "s390x", digest(b"another"), 7),
                entry("linux", host, digest(&self.manifest), self.manifest.len()),
            ],
        });
        Self { index: Some(serde_json::to_vec(&index).unwrap()), ..self }
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

fn layer(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(size + 8);
    while content.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(size);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(size as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, format!("file-{seed}"), content.as_slice()).unwrap();
    tar.into_inner().unwrap()
}

/// A registry with images by name, that counts the bytes of each blob it sends.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) images: HashMap<String, Image>,
    pub(crate) sent: Mutex<HashMap<String, u64>>,
    /// Bytes of blobs after which a connection is cut; 0 is never.
    pub(crate) cut_every: u64,
    /// Bytes of blobs in all after which nothing more is sent until it is raised; 0 is no such limit.
    pub(crate) stop_at: AtomicU64,
}

impl Shelf {
    pub(crate) fn serve(self: &Arc<Self>) -> Server {
        let shelf = Arc::clone(self);
        Server::start(move |request, stream| shelf.answer(request, stream))
    }

    pub(crate) fn answer(&self, request: &Request, stream: &mut TcpStream) -> Then {
        let path = request.path.strip_prefix("/v2/").unwrap_or_default();
        if path.is_empty() {
            return send(stream, "200 OK", "", b"{}");
        }
        if let Some((name, which)) = path.split_once("/manifests/")
            && let Some(image) = self.images.get(name)
        {
            let manifest = digest(&image.manifest);
            if let Some(index) = image.index.as_ref().filter(|_| which != manifest) {
                return send(stream, "200 OK", &format!("Content-Type: {INDEX}\r\n"), index);
            }
            let kind = format!("Content-Type: {MANIFEST}\r\n");
            return send(stream, "200 OK", &kind, &image.manifest);
        }
        if let Some((name, digest)) = path.split_once("/blobs/")
            && let Some(blob) = self.images.get(name).and_then(|image| image.blobs.get(digest))
        {
            return self.blob(request, stream, digest, blob);
        }
        send(stream, "404 Not Found", "", b"")
    }

    fn blob(&self, request: &Request, stream: &mut TcpStream, digest: &str, blob: &[u8]) -> Then {
        let range = request.header("range").strip_prefix("bytes=");
        let from = range.and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
        let body = &blob[from.unwrap_or(0).min(blob.len())..];
        let head = match from {
            None => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()),
            Some(from) => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\n\r\n",
                blob.len() - 1,
                blob.len(),
                body.len()
            ),
        };
        if stream.write_all(head.as_bytes()).is_err() {
            return Then::Close;
        }
        let mut on_this_connection = 0;
        for piece in body.chunks(64 << 10) {
            while self.stop_at.load(Ordering::Acquire) != 0
                && self.total() >= self.stop_at.load(Ordering::Acquire)
            {
                // Until the test lets it go on, or the client is gone.
                stream.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
                if matches!(stream.read(&mut [0]), Ok(0)) {
                    return Then::Close;
                }
                stream.set_read_timeout(None).unwrap();
            }
            if stream.write_all(piece).is_err() {
                return Then::Close;
            }
            *self.sent.lock().unwrap().entry(digest.to_owned()).or_default() += piece.len() as u64;
            on_this_connection += piece.len() as u64;
            if self.cut_every > 0 && on_this_connection >= self.cut_every {
                return Then::Close;
            }
        }
        Then::Keep
    }

    pub(crate) fn total(&self) -> u64 {
        self.sent.lock().unwrap().values().sum()
    }
}
