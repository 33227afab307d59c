//! Ways to servers elsewhere: their addresses without getaddrinfo, which a static program must not call, and whom to
//! believe to be them.

mod resolve;
mod trust;

use std::io;

use tokio::net::TcpStream;

pub use resolve::resolve;
pub use trust::Trust;

/// Connects to the first of the host's addresses that answers.
///
/// # Errors
/// The name leads nowhere, or the last address's own error.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in resolve(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
