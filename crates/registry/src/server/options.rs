//! What `gantry registry serve` is told: `--name=value` each.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::access::Config;
use super::tls;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub address: SocketAddr,
    pub root: PathBuf,
    /// `s3://BUCKET/PREFIX`, in place of the folder.
    pub storage: Option<String>,
    /// Address of the registry whose content is fetched and kept.
    pub proxy: Option<String>,
    /// File with who we are to it: `USER:PASSWORD`.
    pub proxy_credentials: Option<PathBuf>,
    pub read_only: bool,
    pub access_log: bool,
    /// Open at once; more are refused.
    pub max_uploads: usize,
    /// After which an upload of which nothing comes is removed.
    pub upload_age: Duration,
    pub access: Config,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Between two collections of garbage; none is collected if it is nothing.
    pub gc_interval: Duration,
    /// How old garbage is at least: longer than a push takes.
    pub gc_grace: Duration,
    pub log_format: String,
    pub debug: bool,
}

/// A flag that is not there, or a value that is none of its.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("unknown flag: {0}")]
    Unknown(String),
    #[error("invalid argument {value:?} for \"--{flag}\" flag: {why}")]
    Value { flag: String, value: String, why: String },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: ([127, 0, 0, 1], 5000).into(),
            root: "/var/lib/gantry-registry".into(),
            storage: None,
            proxy: None,
            proxy_credentials: None,
            read_only: false,
            access_log: true,
            max_uploads: 1000,
            upload_age: Duration::from_secs(24 * 3600),
            access: Config::default(),
            tls_cert: None,
            tls_key: None,
            gc_interval: Duration::from_secs(6 * 3600),
            gc_grace: Duration::from_secs(24 * 3600),
            log_format: "text".to_owned(),
            debug: false,
        }
    }
}

impl Options {
    /// # Errors
    /// The first word that is wrong.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, Invalid> {
        let (mut options, mut htpasswd) = (Self::default(), None);
        for word in words {
            let flag = word.strip_prefix("--").ok_or_else(|| Invalid::Unknown(word.clone()))?;
            let (flag, value) = flag.split_once('=').unwrap_or((flag, "true"));
            match flag {
                "htpasswd" => htpasswd = Some(value.into()),
                _ => options.set(flag, value)?,
            }
        }
        // Wherever it stands, it goes before what the file says.
        options.access.htpasswd = htpasswd.or(options.access.htpasswd);
        Ok(options)
    }

    /// Where the content is, for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.storage.clone().unwrap_or_else(|| self.root.display().to_string())
    }

    pub(super) fn tls_acceptor(&self) -> Result<Option<TlsAcceptor>, String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => tls::acceptor(certificate, key).map(Some),
            (None, None) => Ok(None),
            _ => Err("TLS needs --tls-cert and --tls-key".to_owned()),
        }
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), Invalid> {
        let invalid =
            |why: String| Invalid::Value { flag: flag.to_owned(), value: value.to_owned(), why };
        match flag {
            "address" => self.address = address(value).map_err(invalid)?,
            "config" => self.access = file(value).map_err(invalid)?,
            "tls-cert" => self.tls_cert = Some(value.into()),
            "tls-key" => self.tls_key = Some(value.into()),
            "gc-interval" => self.gc_interval = duration(value).map_err(invalid)?,
            "gc-grace" => self.gc_grace = duration(value).map_err(invalid)?,
            "root" => self.root = value.into(),
            "storage" => self.storage = Some(value.to_owned()),
            "proxy" => self.proxy = Some(value.to_owned()),
            "proxy-credentials" => self.proxy_credentials = Some(value.into()),
            "read-only" => self.read_only = boolean(value).map_err(invalid)?,
            "access-log" => self.access_log = boolean(value).map_err(invalid)?,
            "max-uploads" => {
                self.max_uploads = value.parse().map_err(|error| invalid(format!("{error}")))?
            }
            "upload-age" => self.upload_age = duration(value).map_err(invalid)?,
            "log-format" if matches!(value, "text" | "json") => {
                value.clone_into(&mut self.log_format)
            }
            "log-format" => return Err(invalid("it is text or json".to_owned())),
            "debug" => self.debug = boolean(value).map_err(invalid)?,
            _ => return Err(Invalid::Unknown(format!("--{flag}"))),
        }
        Ok(())
    }
}

fn file(path: &str) -> Result<Config, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// `[IP]:PORT`; no name is looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replace("localhost", "127.0.0.1");
    let text = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text };
    text.parse().map_err(|_| "it needs an IP address and a port".to_owned())
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "it is true or false".to_owned())
}

/// A whole number and a unit: `90s`, `15m`, `24h`, `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let why = || "it is a number with a unit: s, m, h or d".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(why)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| why())?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(why()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        let words = words.iter().map(|word| (*word).to_owned());
        Options::parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags() {
        let options =
            parse(&["--address=:80", "--root=/srv", "--read-only", "--upload-age=90s"]).unwrap();
        assert_eq!(options.address, ([0, 0, 0, 0], 80).into());
        assert_eq!((options.root, options.read_only), ("/srv".into(), true));
        assert_eq!(options.upload_age, Duration::from_secs(90));
        assert_eq!(parse(&[]).unwrap(), Options::default());
        assert_eq!(parse(&["--no"]).unwrap_err(), "unknown flag: --no");
        assert_eq!(
            parse(&["--address=example.org:1"]).unwrap_err(),
            "invalid argument \"example.org:1\" for \"--address\" flag: it needs an IP address and a port"
        );
        for bad in [
            "--max-uploads=-1",
            "--upload-age=1",
            "--upload-age=h",
            "--debug=x",
            "--log-format=xml",
            "x",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
    }
}
