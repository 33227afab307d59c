//! The OCI distribution specification (1.1) and Docker's registry API (v2), from both sides.
//!
//! What a peer sends is untrusted: bodies are bounded, names are parsed, and a digest names bytes that were hashed here.

pub mod client;
pub mod server;
