//! GraphQL: the key comes as an argument or as a header, and `extensions.idempotency.replayed: true` marks a replay.

use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::{Context, Value, value};
use chassis::graphql::{IdempotencyKeyHeader, NoteExtension, ResponseNote, note};
use sha2::{Digest as _, Sha256};

use crate::{InvalidKey, Key, Recorded};

/// The request's idempotency key: the argument, else the header.
///
/// # Errors
/// [`InvalidKey`], whichever of the two it came in.
pub fn key(ctx: &Context<'_>, argument: Option<String>) -> Result<Option<Key>, InvalidKey> {
    let text = match argument {
        Some(text) => Some(text),
        None => ctx
            .data_opt::<IdempotencyKeyHeader>()
            .map(|header| String::from_utf8(header.0.clone()).map_err(|_| InvalidKey))
            .transpose()?,
    };
    text.map(Key::try_from).transpose()
}

/// The key of one root field of a mutation that has several, under the header that names them all: equal changes in one
/// document are two, and a repeat of the document repeats each. A header that is no key stays as it is, to be refused.
#[must_use]
pub fn of_root_field(header: &[u8], response_key: &str) -> Vec<u8> {
    let text = String::from_utf8(header.to_vec()).map_err(|_| InvalidKey);
    match text.and_then(Key::try_from) {
        Ok(key) => {
            // A name never holds NUL, nor does a key: no two pairs are written alike.
            let named = [key.as_str(), response_key].join("\0");
            hex::encode(Sha256::digest(named)).into_bytes()
        }
        Err(InvalidKey) => header.to_vec(),
    }
}

/// The schema extension that adds the mark to the response.
pub type Replays = NoteExtension<Replay>;

/// Whether a response has a replay in it.
#[derive(Debug, Default)]
pub struct Replay(AtomicBool);

impl ResponseNote for Replay {
    const KEY: &'static str = "idempotency";

    fn value(&self) -> Option<Value> {
        let replayed = self.0.load(Ordering::Relaxed);
        replayed.then(|| value!({ "replayed": true }))
    }
}

/// Takes the value out, and notes for the response whether it is a replay.
pub fn mark<A>(ctx: &Context<'_>, recorded: Recorded<A>) -> A {
    if recorded.replayed
        && let Some(Replay(mark)) = note(ctx)
    {
        mark.store(true, Ordering::Relaxed);
    }
    recorded.value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_under_one_header_have_keys_of_their_own_and_a_bad_header_stays_bad() {
        let key = |header: &str, field: &str| of_root_field(header.as_bytes(), field);
        assert_eq!(key("k", "a"), key("k", "a"), "a repeat has the same");
        for other in [key("k", "b"), key("l", "a"), key("ka", ""), b"k".to_vec()] {
            assert_ne!(key("k", "a"), other);
        }
        let longest = "ж".repeat(255);
        let derived = String::from_utf8(key(&longest, "a")).unwrap();
        assert!(Key::try_from(derived).is_ok());
        for bad in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
            assert_eq!(key(&bad, "a"), bad.as_bytes());
        }
        assert_eq!(of_root_field(&[0xff], "a"), [0xff]);
    }
}
