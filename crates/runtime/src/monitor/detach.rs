//! Finds the detach keys in what a client types, as Docker does: a beginning of the sequence is held
//! back, and sent on when another key follows.

/// ctrl-p ctrl-q.
const DEFAULT: [u8; 2] = [16, 17];

pub(super) struct Detach {
    keys: Vec<u8>,
    /// How many of the keys were typed, and are held back.
    held: usize,
}

impl Detach {
    /// Absent keys are the default ones; with empty ones nothing detaches.
    pub(super) fn new(keys: Option<Vec<u8>>) -> Detach {
        Detach { keys: keys.unwrap_or_else(|| DEFAULT.to_vec()), held: 0 }
    }

    /// What of `typed` goes to the terminal, and whether the client detached after it.
    pub(super) fn filter(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(typed.len() + self.held);
        for &key in typed {
            if self.held > 0 && self.keys[self.held] != key {
                passed.extend_from_slice(&self.keys[..self.held]);
                self.held = 0;
            }
            if self.keys.get(self.held) != Some(&key) {
                passed.push(key);
                continue;
            }
            self.held += 1;
            if self.held == self.keys.len() {
                return (passed, true);
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sequence_detaches_and_is_not_sent() {
        assert_eq!(Detach::new(None).filter(b"ls\x10\x11more"), (b"ls".to_vec(), true));
    }

    #[test]
    fn a_broken_sequence_is_sent_whole() {
        let mut detach = Detach::new(None);
        assert_eq!(detach.filter(b"\x10"), (b"".to_vec(), false));
        assert_eq!(detach.filter(b"a"), (b"\x10a".to_vec(), false));
    }

    #[test]
    fn the_key_that_breaks_a_sequence_may_begin_another() {
        let mut detach = Detach::new(None);
        assert_eq!(detach.filter(b"\x10\x10\x11"), (b"\x10".to_vec(), true));
    }

    #[test]
    fn keys_may_come_one_at_a_time() {
        let mut detach = Detach::new(Some(b"abc".to_vec()));
        assert_eq!(detach.filter(b"a"), (vec![], false));
        assert_eq!(detach.filter(b"b"), (vec![], false));
        assert_eq!(detach.filter(b"c"), (vec![], true));
    }

    #[test]
    fn without_keys_everything_passes() {
        assert_eq!(Detach::new(Some(vec![])).filter(b"\x10\x11"), (b"\x10\x11".to_vec(), false));
    }
}
