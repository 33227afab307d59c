//! Users and passwords (RFC 7617), out of a file of bcrypt hashes that is read anew for each request.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, HeaderMap};
use ring::hmac;
use tokio::sync::Semaphore;

use super::super::error::Error;
use super::identity::Identity;

const MAX_FILE: u64 = 4 << 20;
/// A hash takes a processor for a tenth of a second or more, so a password that was right is remembered a while: as a
/// hash under a key of this process, over the file's line too, so that a change of the file is a change at once.
const REMEMBERED: Duration = Duration::from_secs(60);
const MAX_REMEMBERED: usize = 1024;
/// Hashes that are computed at once: others wait, and requests without passwords go on.
const AT_ONCE: usize = 2;
/// For users that are not there, whom the time of an answer is not to tell from others.
const NOBODY: &str = "$2b$10$uuuuuuuuuuuuuuuuuuuuuuxnsC/yRrLmyyS9j9cV/hJTMtZnh6HRa";

pub(super) struct Passwords {
    file: PathBuf,
    key: Arc<hmac::Key>,
    right: Arc<Mutex<HashMap<[u8; 32], Instant>>>,
    turns: Semaphore,
}

impl Passwords {
    pub(super) fn open(file: &Path) -> Result<Self, String> {
        let text = read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let users = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (at, line) in users.enumerate() {
            let is_bcrypt = line.split_once(':').is_some_and(|(_, hash)| hash.starts_with("$2"));
            if !is_bcrypt {
                return Err(format!(
                    "{}: user {} has no bcrypt hash (htpasswd -B)",
                    file.display(),
                    at + 1
                ));
            }
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new());
        Ok(Self {
            file: file.to_owned(),
            key: Arc::new(key.map_err(|_| "no random numbers".to_owned())?),
            right: Arc::default(),
            turns: Semaphore::new(AT_ONCE),
        })
    }

    /// `None` of credentials that are wrong.
    pub(super) async fn identify(&self, headers: &HeaderMap) -> Result<Option<Identity>, Error> {
        let Some(header) = headers.get(AUTHORIZATION) else { return Ok(Some(Identity::Anonymous)) };
        let Some((user, password)) = header.to_str().ok().and_then(credentials) else {
            return Ok(None);
        };
        let file = self.file.clone();
        let text = blocking(move || read(&file)).await?;
        let hash =
            text.lines().find_map(|line| line.split_once(':').filter(|(name, _)| *name == user));
        let hash = hash.map(|(_, hash)| hash.trim().to_owned());
        let is_right = self.is_right(&user, password, hash).await?;
        Ok(is_right.then_some(Identity::User(user)))
    }

    async fn is_right(
        &self,
        user: &str,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let proof = self.proof(&[user, &password, &hash]);
        if known && self.remembers(&proof) {
            return Ok(true);
        }
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        let fits = blocking(move || Ok(bcrypt::verify(password, &hash).unwrap_or(false))).await?;
        if known && fits {
            self.remember(proof);
        }
        Ok(known && fits)
    }

    fn proof(&self, parts: &[&str]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut proof = [0; 32];
        proof.copy_from_slice(context.sign().as_ref());
        proof
    }

    fn remembers(&self, proof: &[u8; 32]) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(proof).is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    fn remember(&self, proof: [u8; 32]) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.retain(|_, since| since.elapsed() < REMEMBERED);
        if right.len() < MAX_REMEMBERED {
            right.insert(proof, Instant::now());
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other)??)
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    let decoded =
        scheme.eq_ignore_ascii_case("basic").then(|| api::base64::decode(text.trim()))??;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(user: &str, password: &str) -> HeaderMap {
        let text = api::base64::encode(format!("{user}:{password}").as_bytes());
        HeaderMap::from_iter([(AUTHORIZATION, format!("Basic {text}").parse().unwrap())])
    }

    #[tokio::test]
    async fn users_are_known_by_their_passwords_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let line =
            |user: &str, password: &str| format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap());
        std::fs::write(&file, line("ann", "secret") + &line("bob", "other")).unwrap();
        let passwords = Passwords::open(&file).unwrap();
        let ann = Some(Identity::User("ann".to_owned()));
        for _ in 0..2 {
            assert_eq!(passwords.identify(&headers("ann", "secret")).await.unwrap(), ann);
        }
        for (user, password) in
            [("ann", "other"), ("ann", ""), ("", ""), ("eve", "secret"), ("bob", "secret")]
        {
            assert_eq!(passwords.identify(&headers(user, password)).await.unwrap(), None, "{user}");
        }
        assert_eq!(passwords.identify(&HeaderMap::new()).await.unwrap(), Some(Identity::Anonymous));
        std::fs::write(&file, line("ann", "new")).unwrap();
        assert_eq!(passwords.identify(&headers("ann", "secret")).await.unwrap(), None);
        assert_eq!(passwords.identify(&headers("ann", "new")).await.unwrap(), ann);
    }

    #[test]
    fn hashes_that_are_not_bcrypt_are_refused_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        std::fs::write(&file, "ann:$apr1$x$y\n").unwrap();
        let error = Passwords::open(&file).err().unwrap();
        assert!(error.ends_with("user 1 has no bcrypt hash (htpasswd -B)"), "{error}");
        assert!(Passwords::open(Path::new("/none")).is_err());
    }

    #[test]
    fn malformed_credentials_are_none() {
        for bad in ["", "Basic", "Basic !", "Bearer eA==", "Basic eA==", "Basic /w=="] {
            assert_eq!(credentials(bad), None, "{bad}");
        }
    }
}
