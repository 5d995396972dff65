//! The streams that are reserved or open, by their tokens.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use parking_lot::Mutex;
use schema::code::ErrorCode;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::Instant,
};
use uuid::Uuid;

use super::{bad, no_stream, session::Command};
use crate::{
    error::{RETRY_AFTER_SECONDS, RequestError},
    serve::origin::Origin,
};

/// How long a reserved stream waits to be opened.
const RESERVED_FOR: Duration = Duration::from_secs(10);
/// Commands that may wait for a stream's session.
const COMMANDS: usize = 8;

/// Whose a stream is: nobody, or the user with these rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner(Option<(Option<i64>, chassis::principal::Scopes)>);

impl Owner {
    pub(super) fn of(origin: &Origin) -> Self {
        let principal = origin.caller.principal.as_ref();
        Self(principal.map(|it| (it.user.map(schema::id::UserId::get), it.scopes)))
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Held {
    max: usize,
    streams: Mutex<HashMap<String, Stream>>,
}

#[derive(Debug)]
struct Stream {
    owner: Owner,
    state: State,
}

#[derive(Debug)]
enum State {
    Reserved(Instant),
    Open(Sender<Command>),
}

impl Held {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            streams: Mutex::default(),
        }
    }

    /// A new stream's token, which cannot be guessed.
    ///
    /// # Errors
    /// `OVERLOADED` when as many as may be are reserved or open.
    pub(super) fn reserve(&self, owner: Owner) -> Result<String, RequestError> {
        let now = Instant::now();
        let mut streams = self.streams.lock();
        streams.retain(|_, stream| match stream.state {
            State::Reserved(at) => now.duration_since(at) < RESERVED_FOR,
            State::Open(_) => true,
        });
        if streams.len() >= self.max {
            let message = format!("streams of this server are at their limit of {}", self.max);
            return Err(RequestError::new(ErrorCode::Overloaded, message)
                .with("limit", "stream.total_max")
                .with(RETRY_AFTER_SECONDS, 1));
        }
        let token = Uuid::new_v4().to_string();
        let state = State::Reserved(now);
        streams.insert(token.clone(), Stream { owner, state });
        Ok(token)
    }

    /// Opens a reserved stream; what its session is told comes over the receiver.
    ///
    /// # Errors
    /// `NOT_FOUND`, and `BAD_REQUEST` for one that is open.
    pub(super) fn open(
        &self,
        token: &str,
        owner: &Owner,
    ) -> Result<Receiver<Command>, RequestError> {
        match self.streams.lock().entry(token.to_owned()) {
            Entry::Occupied(mut stream) if stream.get().owner == *owner => {
                let stream = stream.get_mut();
                if matches!(stream.state, State::Open(_)) {
                    return Err(bad("this stream is open already"));
                }
                let (commands, received) = mpsc::channel(COMMANDS);
                stream.state = State::Open(commands);
                Ok(received)
            }
            Entry::Occupied(_) | Entry::Vacant(_) => Err(no_stream()),
        }
    }

    /// Where the session of an open stream is told what to do.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub(super) fn commands(
        &self,
        token: &str,
        owner: &Owner,
    ) -> Result<Sender<Command>, RequestError> {
        let streams = self.streams.lock();
        match streams.get(token).filter(|stream| stream.owner == *owner) {
            Some(Stream {
                state: State::Open(commands),
                ..
            }) => Ok(commands.clone()),
            _ => Err(no_stream()),
        }
    }

    pub(super) fn forget(&self, token: &str) {
        self.streams.lock().remove(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reserved_stream_is_its_owners_for_a_while() {
        let held = Held::new(2);
        let (one, other) = (Owner(None), Owner(Some((Some(2), Default::default()))));
        let token = held.reserve(one.clone()).unwrap();
        assert_eq!(
            held.open(&token, &other).unwrap_err().code(),
            ErrorCode::NotFound
        );
        assert!(held.commands(&token, &one).is_err(), "not open yet");
        let _commands = held.open(&token, &one).unwrap();
        assert!(held.open(&token, &one).is_err(), "open already");
        assert!(held.commands(&token, &one).is_ok());
        assert!(held.commands(&token, &other).is_err());
        held.reserve(one.clone()).unwrap();
        let full = held.reserve(one.clone()).unwrap_err();
        assert_eq!(full.code(), ErrorCode::Overloaded);
        tokio::time::advance(RESERVED_FOR).await;
        assert!(
            held.reserve(one).is_ok(),
            "the one that nobody opened is gone"
        );
    }
}
