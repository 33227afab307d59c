//! A client that sends exactly what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use testkit::engine::PATIENCE;

/// Kept open from request to request.
pub(super) struct Connection(BufReader<TcpStream>);

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    #[track_caller]
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.head(method, path, headers, body.len());
        // It may answer, and close, before it has read everything.
        let _ = self.send(body);
        self.reply(method)
    }

    /// Sends a request's head alone.
    pub(super) fn head(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: registry\r\nContent-Length: {length}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.send(format!("{head}\r\n").as_bytes()).unwrap();
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    #[track_caller]
    pub(super) fn reply(&mut self, method: &str) -> Reply {
        let mut lines = (&mut self.0).lines();
        let first = lines.next().expect("an answer").unwrap();
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let mut reply = Reply { status, headers: headers.collect(), body: Vec::new() };
        if method != "HEAD" && ![204, 304].contains(&status) {
            let length = reply.find("content-length").map_or(0, |text| text.parse().unwrap());
            reply.body = vec![0; length];
            self.0.read_exact(&mut reply.body).unwrap();
        }
        reply
    }
}

impl Reply {
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(super) fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The status and the specification's code of a refusal.
    #[track_caller]
    pub(super) fn refusal(&self) -> (u16, String) {
        let code = &self.json()["errors"][0]["code"];
        (self.status, code.as_str().unwrap().to_owned())
    }
}

/// A refusal to be compared with.
pub(super) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
