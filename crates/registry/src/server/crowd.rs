//! How many connections there may be, and how many of one address, so that none takes all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone)]
pub(super) struct Crowd {
    limit: usize,
    present: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place, given back when it is dropped.
pub(super) struct Place {
    address: IpAddr,
    crowd: Crowd,
}

impl Crowd {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, present: Arc::default() }
    }

    /// `None` if this address has as many as one may have.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let count = present.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place { address, crowd: self.clone() })
    }

    pub(super) fn count(&self) -> usize {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.crowd.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = present.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_its_places_back() {
        let crowd = Crowd::new(2);
        let [one, other]: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let places = [crowd.admit(one).unwrap(), crowd.admit(one).unwrap()];
        assert!(crowd.admit(one).is_none());
        assert!(crowd.admit("::ffff:10.0.0.1".parse().unwrap()).is_none(), "the same address");
        assert!(crowd.admit(other).is_some());
        drop(places);
        assert!(crowd.admit(one).is_some());
        assert_eq!(crowd.count(), 0);
    }
}
