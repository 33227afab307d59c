//! Talks to registries: authentication, manifests, blobs.
