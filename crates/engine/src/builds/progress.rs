//! What is told of a build while it runs, in BuildKit's form.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::build::{
    Failure, Instruction, Reason, Status, Vertex, VertexLog, VertexStatus, VertexWarning,
};
use api::progress::Message;
use builder::solve::News;
use jiff::Timestamp;
use oci::Digest;
use sha2::{Digest as _, Sha256};

use super::client::Client;

/// Names the steps of one graph.
pub struct Progress {
    client: Arc<Client>,
    vertices: Vec<Vertex>,
    started: Mutex<HashMap<usize, String>>,
    instructions: Vec<Instruction>,
}

impl Progress {
    /// `platform` tells graphs of the same file apart.
    pub fn new(
        client: Arc<Client>,
        platform: &str,
        vertices: &[builder::plan::Vertex],
        instructions: Vec<(String, Option<usize>)>,
    ) -> Self {
        let digest = |number: usize, name: &str| {
            let text = format!("{platform} {number} {name}");
            Digest::from_sha256(Sha256::digest(text).into()).to_string()
        };
        let digests: Vec<_> = vertices
            .iter()
            .enumerate()
            .map(|(number, vertex)| digest(number, &vertex.name))
            .collect();
        let told = |(number, vertex): (usize, &builder::plan::Vertex)| Vertex {
            digest: digests[number].clone(),
            inputs: vertex.inputs.iter().map(|input| digests[*input].clone()).collect(),
            name: vertex.name.clone(),
            ..Vertex::default()
        };
        let of = instructions.len();
        let instruction =
            |(number, (text, vertex)): (usize, (String, Option<usize>))| Instruction {
                step: number + 1,
                of,
                text,
                vertex: vertex.map(|vertex| digests[vertex].clone()).unwrap_or_default(),
                image: String::new(),
            };
        Self {
            client,
            vertices: vertices.iter().enumerate().map(told).collect(),
            started: Mutex::default(),
            instructions: instructions.into_iter().enumerate().map(instruction).collect(),
        }
    }

    /// All that will be told of.
    pub fn begin(&self) {
        let vertexes = self.vertices.iter().filter(|vertex| !vertex.name.is_empty()).cloned();
        self.client.tell(Status {
            vertexes: vertexes.collect(),
            instructions: self.instructions.clone(),
            ..Status::default()
        });
    }

    pub fn name(&self, vertex: usize) -> String {
        self.vertices[vertex].digest.clone()
    }

    pub fn vertex(&self, number: usize, news: News<'_, Failure>) {
        let mut vertex = self.vertices[number].clone();
        if vertex.name.is_empty() {
            return;
        }
        let now = now();
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = started.entry(number).or_insert_with(|| now.clone()).clone();
        drop(started);
        vertex.started = Some(begun);
        match news {
            News::Started => {}
            News::Cached => {
                vertex.cached = true;
                vertex.completed = Some(now);
            }
            News::Done => vertex.completed = Some(now),
            News::Failed(failure) => {
                vertex.error.clone_from(&failure.message);
                vertex.completed = Some(now);
            }
        }
        self.client.tell(Status { vertexes: vec![vertex], ..Status::default() });
    }

    /// The build succeeded: what was never looked at was not needed, because what follows it was known.
    pub fn finish(&self) {
        for number in 0..self.vertices.len() {
            let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = started.contains_key(&number);
            drop(started);
            if !seen {
                self.vertex(number, News::Cached);
            }
        }
    }

    pub fn log(&self, vertex: usize, stream: u8, data: Vec<u8>) {
        let log = VertexLog { vertex: self.name(vertex), stream, data, timestamp: now() };
        self.client.tell(Status { logs: vec![log], ..Status::default() });
    }

    pub fn reason(&self, vertex: usize, text: String) {
        let reason = Reason { vertex: self.name(vertex), text };
        self.client.tell(Status { reasons: vec![reason], ..Status::default() });
    }
}

/// A step of the engine's own, such as reading the Dockerfile.
pub struct Task {
    client: Arc<Client>,
    vertex: Vertex,
}

impl Task {
    pub fn begin(client: &Arc<Client>, name: &str) -> Self {
        let digest = Digest::from_sha256(Sha256::digest(name).into()).to_string();
        let vertex =
            Vertex { digest, name: name.into(), started: Some(now()), ..Vertex::default() };
        let client = Arc::clone(client);
        client.tell(Status { vertexes: vec![vertex.clone()], ..Status::default() });
        Self { client, vertex }
    }

    /// A part of it, done at once.
    pub fn did(&self, what: &str, bytes: i64) {
        let now = now();
        let status = VertexStatus {
            id: what.into(),
            vertex: self.vertex.digest.clone(),
            total: bytes,
            current: bytes,
            timestamp: now.clone(),
            started: Some(now.clone()),
            completed: Some(now),
            ..VertexStatus::default()
        };
        self.client.tell(Status { statuses: vec![status], ..Status::default() });
    }

    pub fn moves(&self, what: &str, current: i64, total: i64) {
        let now = now();
        let status = VertexStatus {
            id: what.into(),
            vertex: self.vertex.digest.clone(),
            total,
            current,
            timestamp: now.clone(),
            started: Some(now),
            ..VertexStatus::default()
        };
        self.client.tell(Status { statuses: vec![status], ..Status::default() });
    }

    /// How far a layer is that comes or goes.
    pub fn layer(&self, line: &Message) {
        if let Some(detail) = &line.progress_detail {
            let what = format!("{} {}", line.id, line.status);
            self.moves(&what, detail.current, detail.total);
        }
    }

    pub fn warn(&self, mut warnings: Vec<VertexWarning>) {
        for warning in &mut warnings {
            warning.vertex.clone_from(&self.vertex.digest);
        }
        if !warnings.is_empty() {
            self.client.tell(Status { warnings, ..Status::default() });
        }
    }

    pub fn end<T, E: std::fmt::Display>(mut self, result: &Result<T, E>) {
        if let Err(error) = result {
            self.vertex.error = error.to_string();
        }
        self.vertex.completed = Some(now());
        self.client.tell(Status { vertexes: vec![self.vertex.clone()], ..Status::default() });
    }
}

pub fn now() -> String {
    Timestamp::now().to_string()
}
