//! gantry-runtime under other engines: Podman's and containerd's own commands drive it as they drive runc; and what of
//! the OCI specification only shows through an engine.

mod containerd;
mod podman;
mod seccomp_agent;
