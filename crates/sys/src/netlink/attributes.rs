//! Netlink attributes: a length, a type and a value each, nested at will. nftables' numbers are big-endian.

const NESTED: u16 = 1 << 15;
const TYPE_MASK: u16 = 0x3fff;

/// A list of attributes being written.
pub struct Attributes<'a>(pub &'a mut Vec<u8>);

impl Attributes<'_> {
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.write(kind, |bytes| bytes.extend_from_slice(value))
    }

    pub fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// With the zero byte at the end that the kernel wants.
    pub fn string(&mut self, kind: u16, value: &str) -> &mut Self {
        self.write(kind, |bytes| {
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        })
    }

    pub fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        self.write(kind | NESTED, |bytes| inner(&mut Attributes(bytes)))
    }

    fn write(&mut self, kind: u16, value: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let start = self.0.len();
        self.0.extend([0; 4]);
        value(self.0);
        let len = u16::try_from(self.0.len() - start).expect("our messages are far below 64 KiB");
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.0[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// The attributes in a message from the kernel.
pub fn items(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [len0, len1, kind0, kind1] = *rest.first_chunk::<4>()?;
        let len = usize::from(u16::from_ne_bytes([len0, len1]));
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([kind0, kind1]) & TYPE_MASK, value))
    })
}

/// The value of the first attribute of that type.
pub fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    items(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = Vec::new();
        Attributes(&mut bytes).string(1, "ab").nest(2, |inner| {
            inner.number(3, 0x01020304);
        });
        assert_eq!(bytes.len(), 8 + 4 + 8);
        assert_eq!(find(&bytes, 1), Some(&b"ab\0"[..]));
        assert_eq!(find(&bytes, 2).and_then(|inner| find(inner, 3)), Some(&[1, 2, 3, 4][..]));
        assert_eq!(find(&bytes, 9), None);
    }

    #[test]
    fn a_length_that_lies_ends_the_list() {
        for bytes in [&[0; 4][..], &[255, 255, 1, 0, 0][..], &[3, 0, 1, 0][..], &[8][..]] {
            assert_eq!(items(bytes).count(), 0, "{bytes:?}");
        }
    }
}
