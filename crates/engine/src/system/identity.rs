//! The engine's id: made once for a data root.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use rustix::rand::GetRandomFlags;

use crate::error::{Error, Result};

pub fn read_or_make(data_root: &Path) -> Result<String> {
    let path = data_root.join("engine-id");
    let fail = |error: io::Error| {
        Error::system(format!("cannot keep the engine's id in {}", path.display())).because(error)
    };
    match std::fs::read_to_string(&path) {
        Ok(id) if id.trim().len() == 36 => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        // Nothing, or what a crash left of it.
        _ => {}
    }
    let id = random_uuid().map_err(fail)?;
    let new = path.with_extension("new");
    std::fs::write(&new, &id).and_then(|()| std::fs::rename(&new, &path)).map_err(fail)?;
    Ok(id)
}

/// When the id was made: the data root's first day.
pub fn made_at(data_root: &Path) -> Option<Timestamp> {
    let modified = std::fs::metadata(data_root.join("engine-id")).ok()?.modified().ok()?;
    Timestamp::try_from(modified).ok()
}

/// Version 4 of RFC 9562.
fn random_uuid() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty())?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let id = read_or_make(folder.path()).unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert_eq!(read_or_make(folder.path()).unwrap(), id);
        std::fs::write(folder.path().join("engine-id"), "").unwrap();
        assert_ne!(read_or_make(folder.path()).unwrap(), id);
    }
}
