//! A registry's errors in Docker's words and kinds.

use oci::Reference;
use registry::client::Error as RegistryError;

use crate::error::{Error, Kind};

/// What a pull of that name is told.
pub fn pulled(error: RegistryError, name: &Reference) -> Error {
    let familiar = name.familiar_name();
    let what = match error.code() {
        "DENIED" => format!(
            "pull access denied for {familiar}, repository does not exist or may require 'docker login'"
        ),
        "MANIFEST_UNKNOWN" => format!("manifest for {} not found", name.familiar()),
        "NAME_UNKNOWN" => format!("repository {familiar} not found"),
        _ if error.status() == Some(404) => format!("manifest for {} not found", name.familiar()),
        _ => return Refused(error).into(),
    };
    Error::not_found(format!("{what}: {error}"))
}

/// What a push of that name is told.
pub fn pushed(error: RegistryError) -> Error {
    if let RegistryError::NoCredentials { .. } = error {
        return Error::new(Kind::Unauthorized, "no basic auth credentials");
    }
    match error.code() {
        "DENIED" => Error::new(
            Kind::Forbidden,
            format!("requested access to the resource is denied: {error}"),
        ),
        _ => Refused(error).into(),
    }
}

/// Any other.
pub struct Refused(pub RegistryError);

impl From<Refused> for Error {
    fn from(Refused(error): Refused) -> Self {
        let kind = match (error.status(), &error) {
            (Some(401), _) => Kind::Unauthorized,
            (Some(403), _) => Kind::Forbidden,
            (Some(404), _) | (_, RegistryError::NoPlatform { .. }) => Kind::NotFound,
            _ => Kind::System,
        };
        Self::new(kind, error.to_string())
    }
}
