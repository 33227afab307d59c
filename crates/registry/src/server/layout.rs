//! Where things lie in the storage. Keys are made here alone, out of names that were parsed: a part of a repository's
//! name never begins with `_`, a tag never with a dot, and digests and ids are hexadecimal.
//!
//!     blobs/sha256/<2 digits>/<digits>                     content, whole and hashed
//!     repositories/<name>/_blobs/sha256/<digits>           empty: the repository has this blob
//!     repositories/<name>/_manifests/sha256/<digits>       the media type, a newline, the manifest
//!     repositories/<name>/_tags/<tag>                      the digest of a manifest
//!     repositories/<name>/_referrers/sha256/<digits>/<algorithm>-<digits>
//!                                                          the descriptor of a manifest with this subject
//!     uploads/<id>/data, uploads/<id>/state                what came so far, and what is known of it
//!     staging/<id>                                         files on their way to their place
//!     notices/<endpoint>/<time>-<id>                       events that are to be told

use oci::digest::Digest;

use super::names::{Repository, Tag, UploadId};

/// A path below the storage's root; never one that a client wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// What is one level below. The name is one that the storage listed.
    pub(super) fn below(&self, listed: &str) -> Self {
        Self(format!("{}/{listed}", self.0))
    }
}

pub(super) const REPOSITORIES: &str = "repositories";

pub(super) fn repositories() -> Key {
    Key(REPOSITORIES.to_owned())
}

/// What one is to be told, a file each.
pub(super) fn notices(endpoint: &str) -> Key {
    Key(format!("notices/{endpoint}"))
}

/// Locked by the process that tells them.
pub(super) fn telling(endpoint: &str) -> Key {
    Key(format!("telling-{endpoint}"))
}

/// Locked by the process that collects garbage.
pub(super) fn collecting() -> Key {
    Key("collecting".to_owned())
}

pub(super) fn all_blobs() -> Key {
    Key("blobs".to_owned())
}

pub(super) fn uploads() -> Key {
    Key("uploads".to_owned())
}

pub(super) fn staging() -> Key {
    Key("staging".to_owned())
}

pub(super) fn staged(id: &UploadId) -> Key {
    Key(format!("staging/{}", id.as_str()))
}

pub(super) fn upload_data(id: &UploadId) -> Key {
    Key(format!("uploads/{}/data", id.as_str()))
}

pub(super) fn upload_state(id: &UploadId) -> Key {
    Key(format!("uploads/{}/state", id.as_str()))
}

pub(super) fn blob(digest: &Digest) -> Key {
    let (algorithm, hex) = (digest.algorithm(), digest.hex());
    Key(format!("blobs/{algorithm}/{}/{hex}", &hex[..2]))
}

/// A repository's links.
pub(super) fn blobs(repository: &Repository) -> Key {
    Key(format!("{REPOSITORIES}/{repository}/_blobs"))
}

pub(super) fn blob_link(repository: &Repository, digest: &Digest) -> Key {
    in_repository(repository, "_blobs", digest)
}

pub(super) fn manifests(repository: &Repository) -> Key {
    Key(format!("{REPOSITORIES}/{repository}/_manifests"))
}

pub(super) fn manifest(repository: &Repository, digest: &Digest) -> Key {
    in_repository(repository, "_manifests", digest)
}

pub(super) fn tags(repository: &Repository) -> Key {
    Key(format!("{REPOSITORIES}/{repository}/_tags"))
}

pub(super) fn tag(repository: &Repository, tag: &Tag) -> Key {
    tags(repository).below(tag.as_str())
}

pub(super) fn all_referrers(repository: &Repository) -> Key {
    Key(format!("{REPOSITORIES}/{repository}/_referrers"))
}

pub(super) fn referrers(repository: &Repository, subject: &Digest) -> Key {
    in_repository(repository, "_referrers", subject)
}

pub(super) fn referrer(repository: &Repository, subject: &Digest, digest: &Digest) -> Key {
    let name = format!("{}-{}", digest.algorithm(), digest.hex());
    referrers(repository, subject).below(&name)
}

fn in_repository(repository: &Repository, what: &str, digest: &Digest) -> Key {
    let (algorithm, hex) = (digest.algorithm(), digest.hex());
    Key(format!("{REPOSITORIES}/{repository}/{what}/{algorithm}/{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_things_differ() {
        let name = |text| Repository::parse(text).unwrap();
        let digest = Digest::from_sha256([0xab; 32]);
        let hex = digest.hex();
        assert_eq!(blob(&digest).as_str(), format!("blobs/sha256/ab/{hex}"));
        assert_eq!(
            blob_link(&name("a/b"), &digest).as_str(),
            format!("repositories/a/b/_blobs/sha256/{hex}")
        );
        assert_ne!(manifests(&name("a")), tags(&name("a")));
        assert_eq!(
            referrer(&name("a"), &digest, &digest).as_str(),
            format!("repositories/a/_referrers/sha256/{hex}/sha256-{hex}")
        );
    }
}
