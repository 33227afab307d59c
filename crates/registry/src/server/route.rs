//! From a path to what it names. A repository's name stands in mid path and may hold any of the words that follow it,
//! so paths are read from their end.

use hyper::Method;
use oci::digest::Digest;

use super::access::Action;
use super::error::Error;
use super::names::{Reference, Repository, UploadId, digest};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`: whether this is a registry, and whether the credentials are right.
    Base,
    Catalog,
    Health,
    Metrics,
    Blob(Repository, Digest),
    Uploads(Repository),
    /// `None`: an id that no upload ever had.
    Upload(Repository, Option<UploadId>),
    Manifest(Repository, Reference),
    Tags(Repository),
    Referrers(Repository, Digest),
}

impl Route {
    /// Of a path that is decoded. `None`: there is no such page.
    pub(super) fn parse(path: &str) -> Option<Result<Self, Error>> {
        match path {
            "/v2/" | "/v2" => return Some(Ok(Self::Base)),
            "/v2/_catalog" => return Some(Ok(Self::Catalog)),
            "/healthz" => return Some(Ok(Self::Health)),
            "/metrics" => return Some(Ok(Self::Metrics)),
            _ => {}
        }
        let mut parts = path.strip_prefix("/v2/")?.rsplitn(4, '/');
        let (last, middle, before) = (parts.next()?, parts.next()?, parts.next()?);
        let rest = parts.next();
        // Without the last two parts, and without the last three.
        let two = || match rest {
            Some(rest) => format!("{rest}/{before}"),
            None => before.to_owned(),
        };
        let route = match (before, middle, last) {
            ("blobs", "uploads", id) if rest.is_some() => upload(rest.unwrap_or_default(), id),
            (_, "blobs", "uploads") => Repository::parse(&two()).map(Self::Uploads),
            (_, "blobs", text) => named(&two(), || digest(text), Self::Blob),
            (_, "manifests", text) => named(&two(), || Reference::parse(text), Self::Manifest),
            (_, "referrers", text) => named(&two(), || digest(text), Self::Referrers),
            (_, "tags", "list") => Repository::parse(&two()).map(Self::Tags),
            _ => return None,
        };
        Some(route)
    }

    /// What one must be allowed to do, and where; `None` of what is about no repository.
    pub(super) fn needs(&self, method: &Method) -> Option<(&Repository, Action)> {
        let action = match *method {
            Method::GET | Method::HEAD => Action::Pull,
            Method::DELETE => Action::Delete,
            _ => Action::Push,
        };
        match self {
            Self::Base | Self::Catalog | Self::Health | Self::Metrics => None,
            Self::Tags(name) | Self::Blob(name, _) | Self::Referrers(name, _) => {
                Some((name, action))
            }
            Self::Manifest(name, _) => Some((name, action)),
            // Whatever is done with an upload, it is a push.
            Self::Uploads(name) | Self::Upload(name, _) => Some((name, Action::Push)),
        }
    }
}

fn upload(name: &str, id: &str) -> Result<Route, Error> {
    let name = Repository::parse(name)?;
    Ok(match id {
        "" => Route::Uploads(name),
        id => Route::Upload(name, UploadId::parse(id)),
    })
}

fn named<T>(
    name: &str,
    parse: impl Fn() -> Result<T, Error>,
    route: impl Fn(Repository, T) -> Route,
) -> Result<Route, Error> {
    Ok(route(Repository::parse(name)?, parse()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn route(path: &str) -> Route {
        Route::parse(path).unwrap_or_else(|| panic!("{path} is no page")).unwrap()
    }

    fn name(text: &str) -> Repository {
        Repository::parse(text).unwrap()
    }

    #[test]
    fn paths_are_read_from_their_end() {
        let digest = Digest::parse(DIGEST).unwrap();
        assert_eq!(route("/v2/"), Route::Base);
        assert_eq!(route("/v2/_catalog"), Route::Catalog);
        assert_eq!(
            route(&format!("/v2/a/b/blobs/{DIGEST}")),
            Route::Blob(name("a/b"), digest.clone())
        );
        assert_eq!(
            route(&format!("/v2/blobs/blobs/{DIGEST}")),
            Route::Blob(name("blobs"), digest.clone())
        );
        assert_eq!(route("/v2/a/blobs/uploads/"), Route::Uploads(name("a")));
        assert_eq!(route("/v2/a/blobs/uploads"), Route::Uploads(name("a")));
        assert_eq!(
            route("/v2/a/b/blobs/uploads/../x/blobs/uploads/".replace("../", "").as_str()),
            Route::Uploads(name("a/b/blobs/uploads/x"))
        );
        assert_eq!(route("/v2/a/blobs/uploads/forged"), Route::Upload(name("a"), None));
        assert_eq!(route("/v2/tags/list/tags/list"), Route::Tags(name("tags/list")));
        assert_eq!(
            route("/v2/a/manifests/v1"),
            Route::Manifest(name("a"), Reference::parse("v1").unwrap())
        );
        assert_eq!(
            route(&format!("/v2/a/referrers/{DIGEST}")),
            Route::Referrers(name("a"), digest)
        );
        for none in ["/", "/v1/", "/v2/a", "/v2/a/b", "/v2/a/tags/other", "/v2/a/manifests", "v2/"]
        {
            assert!(Route::parse(none).is_none(), "{none}");
        }
        for bad in
            ["/v2/../blobs/uploads/", "/v2/A/tags/list", "/v2/a/blobs/sha256:0", "/v2//manifests/x"]
        {
            assert!(Route::parse(bad).unwrap().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_path_is_too_odd(path in "(/|v2|blobs|uploads|manifests|tags|list|[a-z._:%]){0,12}") {
            if let Some(Ok(route)) = Route::parse(&path)
                && let Some((name, _)) = route.needs(&Method::GET)
            {
                prop_assert!(path.contains(name.as_str()));
            }
        }
    }
}
