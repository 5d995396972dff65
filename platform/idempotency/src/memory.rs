//! Responses in memory, for a store that lives in its process. That store's own lock makes calls wait for each other.

use std::collections::HashMap;

use crate::{Call, Error};

/// The responses of named changes, with the same rules as in Postgres; stored while the process lives.
#[derive(Debug)]
pub struct Responses<A>(HashMap<(i64, String, String), (String, A)>);

impl<A> Default for Responses<A> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<A: Clone> Responses<A> {
    /// What the call gave when it ran before.
    ///
    /// # Errors
    /// [`Error::Reused`] when the key came before with another input.
    pub fn find(&self, call: &Call) -> Result<Option<A>, Error> {
        match self.0.get(&call.owned_name()) {
            None => Ok(None),
            Some((fingerprint, _)) if fingerprint != call.fingerprint() => Err(Error::Reused),
            Some((_, response)) => Ok(Some(response.clone())),
        }
    }

    /// Stores what the call gave.
    pub fn record(&mut self, call: &Call, response: A) {
        let stored = (call.fingerprint().to_owned(), response);
        self.0.insert(call.owned_name(), stored);
    }
}
