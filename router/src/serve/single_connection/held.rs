//! The streams that are reserved or open, by their tokens.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use schema::code::ErrorCode;
use tokio::{
    sync::mpsc::{Receiver, Sender},
    time::Instant,
};
use uuid::Uuid;

use super::{no_stream, session::Command};
use crate::{
    error::{RETRY_AFTER_SECONDS, RequestError},
    serve::{delivery::Piece, origin::Origin},
};

/// How long a reserved stream waits to be opened.
pub(super) const RESERVED_FOR: Duration = Duration::from_secs(10);

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
    /// Operations may come before the stream is opened; what is said of them waits.
    Runs(Running),
}

/// A stream's session, seen from outside.
#[derive(Debug)]
pub(super) struct Running {
    /// Where it is told what to do.
    pub(super) commands: Sender<Command>,
    /// What it says, until somebody opens the stream.
    pub(super) body: Option<Receiver<Piece>>,
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
            State::Runs(_) => true,
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

    /// Whether the owner has this stream.
    pub(super) fn has(&self, token: &str, owner: &Owner) -> bool {
        let streams = self.streams.lock();
        streams.get(token).is_some_and(|it| it.owner == *owner)
    }

    /// Opens a stream, whose session is begun unless it runs: where it is told what to do, and what it says, which is `None`
    /// when somebody has opened it before.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub(super) fn open(
        &self,
        token: &str,
        owner: &Owner,
        begin: impl FnOnce() -> Running,
    ) -> Result<(Sender<Command>, Option<Receiver<Piece>>), RequestError> {
        self.with(token, owner, begin, |running| {
            (running.commands.clone(), running.body.take())
        })
    }

    /// Where the session of a stream is told what to do; it is begun unless it runs.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub(super) fn commands(
        &self,
        token: &str,
        owner: &Owner,
        begin: impl FnOnce() -> Running,
    ) -> Result<Sender<Command>, RequestError> {
        self.with(token, owner, begin, |running| running.commands.clone())
    }

    fn with<T>(
        &self,
        token: &str,
        owner: &Owner,
        begin: impl FnOnce() -> Running,
        take: impl FnOnce(&mut Running) -> T,
    ) -> Result<T, RequestError> {
        let mut streams = self.streams.lock();
        let stream = streams.get_mut(token).filter(|it| it.owner == *owner);
        let stream = stream.ok_or_else(no_stream)?;
        if matches!(stream.state, State::Reserved(_)) {
            stream.state = State::Runs(begin());
        }
        match &mut stream.state {
            State::Runs(running) => Ok(take(running)),
            State::Reserved(_) => Err(no_stream()),
        }
    }

    /// Whether nobody has opened the stream.
    pub(super) fn waits(&self, token: &str) -> bool {
        let streams = self.streams.lock();
        let state = streams.get(token).map(|stream| &stream.state);
        matches!(state, Some(State::Runs(Running { body: Some(_), .. })))
    }

    pub(super) fn forget(&self, token: &str) {
        self.streams.lock().remove(token);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reserved_stream_is_its_owners_for_a_while() {
        let held = Held::new(2);
        let (one, other) = (Owner(None), Owner(Some((Some(2), Default::default()))));
        let token = held.reserve(one.clone()).unwrap();
        let begin = || {
            let (commands, _) = mpsc::channel(1);
            let (_, body) = mpsc::channel(1);
            Running {
                commands,
                body: Some(body),
            }
        };
        let refused = held.open(&token, &other, begin).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NotFound);
        assert!(held.has(&token, &one) && !held.has(&token, &other));
        assert!(held.commands(&token, &one, begin).is_ok());
        assert!(held.waits(&token), "an operation does not open it");
        let (_, body) = held.open(&token, &one, begin).unwrap();
        assert!(body.is_some() && !held.waits(&token));
        let (_, body) = held.open(&token, &one, begin).unwrap();
        assert!(body.is_none(), "open already");
        assert!(held.commands(&token, &other, begin).is_err());
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
