//! What is known of one connection: which state it is in, since when, and how long that may last.
//!
//! ```text
//! new ──first byte──► head ──complete──► in flight ──last one ended──► idle ──first byte──► head …
//! ```
//!
//! Invariant: every state but "in flight" has a deadline; what is in flight is bounded by its body's deadline, by the
//! handler's own, and by the writes, which must make progress.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{config::Config, lasting::HandOver};

/// How long a first request may be on its way before the connection counts as one that asks nothing.
const JUST_COME: Duration = Duration::from_secs(1);

/// One connection, shared by its socket, its requests and the registry.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) listener: &'static str,
    opened_at: Instant,
    /// When the present state began, in milliseconds since it was opened.
    since: AtomicU64,
    in_flight: AtomicUsize,
    /// Those in flight whose bodies have not arrived.
    receiving: AtomicUsize,
    was_used: AtomicBool,
    in_head: AtomicBool,
    is_http2: AtomicBool,
    is_closing: AtomicBool,
    /// It speaks another protocol from now on, which has bounds of its own.
    stays: AtomicBool,
    closing: Notify,
    /// What the connection is taken from the library for.
    pub(super) hand_over: HandOver,
}

/// How readily a connection is given up for a new one; the smaller the sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It has never sent a whole request.
    New,
    /// It waits between two requests.
    Idle,
    /// The bodies of all its requests are still on their way.
    Receiving,
}

impl Connection {
    pub(super) fn new(listener: &'static str, peer: SocketAddr) -> Self {
        Self {
            peer,
            listener,
            opened_at: Instant::now(),
            since: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            receiving: AtomicUsize::new(0),
            was_used: AtomicBool::new(false),
            in_head: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            stays: AtomicBool::new(false),
            closing: Notify::new(),
            hand_over: HandOver::default(),
        }
    }

    /// The client has shown that it speaks HTTP/2: what it sends between requests are frames, not a head.
    pub(super) fn speaks_http2(&self) {
        self.is_http2.store(true, Relaxed);
        self.begin_state();
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Relaxed)
    }

    /// Bytes have come.
    pub(super) fn received(&self) {
        let begins = self.in_flight.load(Relaxed) == 0 && !self.is_http2();
        if begins && !self.in_head.swap(true, Relaxed) {
            self.begin_state();
        }
    }

    /// Whether a head has begun and is not complete.
    pub(super) fn is_in_head(&self) -> bool {
        self.in_head.load(Relaxed) && self.in_flight.load(Relaxed) == 0
    }

    /// Whether it has never sent a whole request.
    pub(super) fn is_new(&self) -> bool {
        !self.was_used.load(Relaxed)
    }

    /// The head of a request is complete.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.was_used.store(true, Relaxed);
        self.in_head.store(false, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// The body of a request in flight is on its way.
    pub(super) fn receive(self: &Arc<Self>) -> Receiving {
        self.receiving.fetch_add(1, Relaxed);
        Receiving(Arc::clone(self))
    }

    /// When the present state has lasted too long; never, while a request is in flight.
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        if self.in_flight.load(Relaxed) > 0 {
            return None;
        }
        let is_head = self.is_in_head() || self.is_new();
        let limit = if is_head && !self.is_http2() {
            config.header_timeout
        } else {
            config.idle_timeout
        };
        Some(self.since() + limit)
    }

    /// How readily it is given up, and since when it has been in that state; nothing while it is worked for.
    pub(super) fn standing(&self) -> Option<(Standing, Instant)> {
        let in_flight = self.in_flight.load(Relaxed);
        let standing = match in_flight {
            0 if self.is_new() => Standing::New,
            0 => Standing::Idle,
            some if some == self.receiving.load(Relaxed) => Standing::Receiving,
            _ => return None,
        };
        Some((standing, self.since()))
    }

    /// Whether it is new, and so young that its first request may be on its way.
    pub(super) fn has_just_come(&self) -> bool {
        matches!(self.standing(), Some((Standing::New, since)) if since.elapsed() < JUST_COME)
    }

    /// Asks the connection's task to close it.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Relaxed);
        self.closing.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }

    /// Ends when [`Connection::close`] was called.
    pub(super) async fn closing(&self) {
        self.closing.notified().await;
    }

    /// Whether requests are in flight.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    /// When the present state has to be looked at again: at its deadline, or while requests are in flight no later than the
    /// deadline of what may follow; never, once the connection stays in use.
    pub(super) fn look_again(&self, config: &Config) -> Option<Instant> {
        if self.stays.load(Relaxed) {
            return None;
        }
        let deadline = self.deadline(config);
        Some(deadline.unwrap_or_else(|| Instant::now() + config.idle_timeout))
    }

    fn since(&self) -> Instant {
        self.opened_at + Duration::from_millis(self.since.load(Relaxed))
    }

    fn begin_state(&self) {
        let age = self.opened_at.elapsed().as_millis();
        self.since
            .store(u64::try_from(age).unwrap_or(u64::MAX), Relaxed);
    }
}

/// A request in flight; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Connection>);

impl InFlight {
    /// The connection is in use until it is closed.
    pub(super) fn stay(self) {
        self.0.in_flight.fetch_add(1, Relaxed);
        self.0.stays.store(true, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.0.begin_state();
        }
    }
}

/// A body that has not arrived; dropped when it has, or when nobody waits for it.
#[derive(Debug)]
pub(super) struct Receiving(Arc<Connection>);

impl Drop for Receiving {
    fn drop(&mut self) {
        self.0.receiving.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Arc<Connection> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        Arc::new(Connection::new("test", peer))
    }

    fn left(connection: &Connection) -> Option<Duration> {
        let deadline = connection.deadline(&Config::default())?;
        Some(deadline - Instant::now())
    }

    /// Seen red with `received` beginning a state at each byte: a drip then lasts for ever.
    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte_however_it_drips() {
        let connection = connection();
        connection.received();
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            connection.received();
        }
        assert_eq!(left(&connection), Some(Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_flight_has_no_deadline_and_what_follows_has_the_idle_one() {
        let connection = connection();
        assert_eq!(left(&connection), Some(Duration::from_secs(10)));
        let first = connection.begin();
        let second = connection.begin();
        tokio::time::advance(Duration::from_secs(100)).await;
        drop(first);
        assert_eq!(left(&connection), None);
        drop(second);
        assert_eq!(left(&connection), Some(Duration::from_secs(75)));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_the_requests_of_http2_are_no_head() {
        let connection = connection();
        connection.speaks_http2();
        tokio::time::advance(Duration::from_secs(70)).await;
        connection.received();
        assert_eq!(left(&connection), Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_connection_that_is_worked_for_is_not_given_up() {
        let connection = connection();
        let standing = || connection.standing().map(|(standing, _)| standing);
        assert_eq!(standing(), Some(Standing::New));
        let request = connection.begin();
        let body = connection.receive();
        assert_eq!(standing(), Some(Standing::Receiving));
        drop(body);
        assert_eq!(standing(), None);
        drop(request);
        assert_eq!(standing(), Some(Standing::Idle));
    }
}
