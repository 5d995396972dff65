//! GraphQL: the key comes as an argument or as a header, and `extensions.idempotency.replayed: true` marks a replay.

use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::{Context, Value, value};
use chassis::graphql::{IdempotencyKeyHeader, NoteExtension, ResponseNote, note};

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
