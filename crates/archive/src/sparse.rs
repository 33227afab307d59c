//! Sparse files: GNU's old format and PAX formats 0.0, 0.1 and 1.0 give a map of where the stored bytes belong.

use std::io;

use super::header::{self, invalid};
use super::pax::{self, Records};

/// More regions than any real file has.
const MAX_REGIONS: usize = 1 << 17;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map {
    /// `(offset, length)`, ascending, not overlapping.
    pub regions: Vec<(u64, u64)>,
}

impl Map {
    /// Checks the map against the size of the file and the bytes in the stream: a map that lies is refused.
    pub fn verify(&self, size: u64, stored: u64) -> io::Result<()> {
        let mut end = 0_u64;
        let mut total = 0_u64;
        for (offset, length) in &self.regions {
            let next = offset.checked_add(*length).ok_or_else(|| invalid("sparse map"))?;
            if *offset < end || next > size {
                return Err(invalid("sparse map"));
            }
            end = next;
            total += length;
        }
        if total == stored { Ok(()) } else { Err(invalid("sparse map")) }
    }

    pub fn push(&mut self, offset: u64, length: u64) -> io::Result<()> {
        if self.regions.len() >= MAX_REGIONS {
            return Err(invalid("too many sparse regions"));
        }
        self.regions.push((offset, length));
        Ok(())
    }

    /// `(offset, length)` pairs of twelve characters each, as in GNU's header and its continuation blocks.
    pub fn push_gnu(&mut self, pairs: &[u8]) -> io::Result<()> {
        for pair in pairs.chunks_exact(24).take_while(|pair| pair[0] != 0) {
            let number =
                |field| u64::try_from(header::number(field)?).map_err(|_| invalid("sparse map"));
            self.push(number(&pair[..12])?, number(&pair[12..])?)?;
        }
        Ok(())
    }

    /// PAX 0.1: `offset,length,offset,length,...` (0.0 repeats keys, which the reader joins to this form).
    pub fn from_list(list: &[u8]) -> io::Result<Map> {
        let numbers: Vec<&[u8]> = list.split(|b| *b == b',').collect();
        let mut map = Map::default();
        for pair in numbers.chunks(2) {
            let [offset, length] = pair else { return Err(invalid("sparse map")) };
            map.push(pax::integer(offset)?, pax::integer(length)?)?;
        }
        Ok(map)
    }

    /// PAX 1.0: decimal lines at the start of the payload, padded to a block.
    pub fn from_lines(mut line: impl FnMut() -> io::Result<Vec<u8>>) -> io::Result<Map> {
        let count = pax::integer(&line()?)?;
        let mut map = Map::default();
        for _ in 0..count {
            let offset = pax::integer(&line()?)?;
            map.push(offset, pax::integer(&line()?)?)?;
        }
        Ok(map)
    }
}

/// The name that PAX sparse formats hide behind a placeholder, and the real size.
pub fn real_name_and_size(records: &Records) -> io::Result<(Option<&Vec<u8>>, Option<u64>)> {
    let size = records
        .get(b"GNU.sparse.realsize".as_slice())
        .or_else(|| records.get(b"GNU.sparse.size".as_slice()));
    Ok((
        records.get(b"GNU.sparse.name".as_slice()),
        size.map(|text| pax::integer(text)).transpose()?,
    ))
}
