//! gantry-runtime under other engines: Podman's and containerd's own commands drive it as they drive runc.

mod containerd;
mod podman;
