//! The graphs of several platforms as one: what they have in common, such as stages of the build platform, is done once.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::Plan;
use super::graph::{Op, Vertex, note_sources};

/// Takes the vertices out of the plans; what these say of places is of places in the graph from then on.
#[must_use]
pub fn join(plans: &mut [Plan]) -> Vec<Vertex> {
    if let [plan] = plans {
        return std::mem::take(&mut plan.vertices);
    }
    let mut vertices = Vec::new();
    let mut known = HashMap::new();
    for plan in plans {
        let mut places = Vec::with_capacity(plan.vertices.len());
        for mut vertex in std::mem::take(&mut plan.vertices) {
            // What a vertex stands on was planned before it.
            vertex.inputs.iter_mut().for_each(|input| *input = places[*input]);
            let place = *known.entry(identity(&vertex)).or_insert(vertices.len());
            if place == vertices.len() {
                vertices.push(vertex);
            }
            places.push(place);
        }
        plan.result = places[plan.result];
        for entry in &mut plan.history {
            entry.vertex = entry.vertex.map(|vertex| places[vertex]);
        }
    }
    note_sources(&mut vertices);
    vertices
}

/// Equal for vertices that do the same to the same.
fn identity(vertex: &Vertex) -> [u8; 32] {
    let proxies = match &vertex.op {
        Op::Run(run) => &run.proxies[..],
        _ => &[],
    };
    let all = (&vertex.op, proxies, &vertex.inputs, vertex.fresh);
    let bytes = serde_json::to_vec(&all).expect("plain data with text for keys always serializes");
    Sha256::digest(bytes).into()
}
