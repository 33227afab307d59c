//! The keys that leave a session and let the container go on: `ctrl-p,ctrl-q`.

pub(crate) const DEFAULT_KEYS: &str = "ctrl-p,ctrl-q";

/// A key sequence and how much of it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    sequence: Vec<u8>,
    typed: usize,
}

impl Keys {
    /// Keys are separated by commas: a letter, or `ctrl-` and one of `a-z @ [ \ ] ^ _`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let sequence = text.split(',').map(key).collect::<Option<Vec<u8>>>();
        match sequence {
            Some(sequence) => Ok(Self { sequence, typed: 0 }),
            None => Err(format!("invalid detach keys ({text}) provided")),
        }
    }

    /// What of `input` goes to the container, and whether the sequence was completed in it. Keys that
    /// may yet become the sequence are held back until they cannot.
    pub(crate) fn filter(&mut self, input: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(input.len());
        for &byte in input {
            if byte != self.sequence[self.typed] {
                out.extend_from_slice(&self.sequence[..self.typed]);
                self.typed = 0;
            }
            if byte == self.sequence[self.typed] {
                self.typed += 1;
            } else {
                out.push(byte);
            }
            if self.typed == self.sequence.len() {
                return (out, true);
            }
        }
        (out, false)
    }
}

fn key(name: &str) -> Option<u8> {
    if let [letter] = name.as_bytes() {
        return Some(*letter);
    }
    match name.strip_prefix("ctrl-")?.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [b'@'] => Some(0),
        [other @ b'['..=b'_'] => Some(other - b'[' + 27),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_found_across_reads_and_not_sent() {
        let mut keys = Keys::parse(DEFAULT_KEYS).unwrap();
        assert_eq!(keys.filter(b"ls\x10"), (b"ls".to_vec(), false));
        assert_eq!(keys.filter(b"\x11rest"), (Vec::new(), true));
    }

    #[test]
    fn what_only_began_like_it_is_sent() {
        let mut keys = Keys::parse(DEFAULT_KEYS).unwrap();
        assert_eq!(keys.filter(b"\x10x"), (b"\x10x".to_vec(), false));
        assert_eq!(keys.filter(b"\x10\x10\x11"), (b"\x10".to_vec(), true));
    }

    #[test]
    fn keys_have_names() {
        assert_eq!(Keys::parse("a,ctrl-a,ctrl-[,ctrl-_").unwrap().sequence, [b'a', 1, 27, 31]);
        assert!(Keys::parse("ctrl-1").is_err());
        assert!(Keys::parse("").is_err());
    }
}
