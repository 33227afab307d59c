//! TLS for TCP listeners.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::error::{Error, Result};

/// What TCP listeners speak. Whoever reaches the API is root on this host, so anything but TLS with verified clients
/// must have been asked for in so many words (CVE-2025-9074).
pub fn acceptor(config: &Config) -> Result<Option<TlsAcceptor>> {
    let forced = config.tls == Some(false) || config.tlsverify == Some(false);
    match (config.tls.unwrap_or(false), config.tlsverify.unwrap_or(false)) {
        (_, true) => server(config, Clients::Verified).map(Some),
        (true, false) if forced => server(config, Clients::Anyone).map(Some),
        (false, false) if forced => Ok(None),
        _ => Err(Error::invalid(
            "refusing to serve TCP without verifying clients: whoever reaches the API controls this host. \
             Use --tlsverify with --tlscacert, --tlscert and --tlskey, or state --tlsverify=false to serve it all the same",
        )),
    }
}

#[derive(PartialEq)]
enum Clients {
    Verified,
    Anyone,
}

fn server(config: &Config, clients: Clients) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::system("cannot set up TLS").because(error))?;
    let builder = if clients == Clients::Verified {
        let path = required(config.tlscacert.as_ref(), "tlscacert")?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| unusable(path).because(error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable(path).because(error))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let path = required(config.tlscert.as_ref(), "tlscert")?;
    let chain = certificates(path)?;
    let path = required(config.tlskey.as_ref(), "tlskey")?;
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| unusable(path).because(error))?;
    let config =
        builder.with_single_cert(chain, key).map_err(|error| unusable(path).because(error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The common name of the certificate that a client showed and that was verified.
pub fn subject(connection: &ServerConnection) -> Option<String> {
    common_name(connection.peer_certificates()?.first()?)
}

/// RFC 5280: Certificate, TBSCertificate, and after version, serial number, algorithm, issuer and validity the subject,
/// whose attributes are looked through for 2.5.4.3.
fn common_name(certificate: &[u8]) -> Option<String> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    for _ in ["serial number", "algorithm", "issuer", "validity"] {
        rest = element(rest)?.2;
    }
    let (tag, mut names, _) = element(rest)?;
    while tag == SEQUENCE && !names.is_empty() {
        let (_, set, rest) = element(names)?;
        let (_, attribute, _) = element(set)?;
        let (_, kind, value) = element(attribute)?;
        if kind == COMMON_NAME {
            return Some(String::from_utf8_lossy(element(value)?.1).into_owned());
        }
        names = rest;
    }
    None
}

/// The first element of DER: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match usize::from(short) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            let digits = Some(digits).filter(|digits| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn required<'a>(path: Option<&'a PathBuf>, flag: &str) -> Result<&'a Path> {
    path.map(PathBuf::as_path).ok_or_else(|| Error::invalid(format!("TLS needs --{flag}")))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    match CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(found) if found.is_empty() => Err(unusable(path).because("it holds no certificate")),
        result => result.map_err(|error| unusable(path).because(error)),
    }
}

fn unusable(path: &Path) -> Error {
    Error::invalid(format!("cannot use {} for TLS", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_name_is_found_and_garbage_has_none() {
        let mut params = rcgen::CertificateParams::new(["x.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "dogs");
        params.distinguished_name.push(rcgen::DnType::CommonName, "ann");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let der = certificate.der();
        assert_eq!(common_name(der).as_deref(), Some("ann"));
        for cut in 0..der.len() {
            let _ = common_name(&der[..cut]);
        }
        for (at, _) in der.iter().enumerate() {
            let mut wrong = der.to_vec();
            wrong[at] ^= 0xff;
            let _ = common_name(&wrong);
        }
        assert_eq!(common_name(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(common_name(&[]), None);
    }

    #[test]
    fn cve_2025_9074_tcp_without_verified_clients_must_be_asked_for() {
        let with = |tls, tlsverify| acceptor(&Config { tls, tlsverify, ..Config::default() });
        for (tls, tlsverify) in [(None, None), (Some(true), None)] {
            let error = with(tls, tlsverify).err().unwrap().to_string();
            assert!(error.starts_with("refusing to serve TCP"), "{error}");
        }
        assert!(with(Some(false), None).unwrap().is_none());
        assert!(with(None, Some(false)).unwrap().is_none());
        let error = with(None, Some(true)).err().unwrap().to_string();
        assert_eq!(error, "TLS needs --tlscacert");
    }
}
