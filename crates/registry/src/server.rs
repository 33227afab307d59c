//! A registry over a storage: uploads, blobs, manifests, tags and referrers.
