//! What the tail and the readers share, and the decision how a cursor goes on.

use std::sync::Arc;

use chassis::{kafka, places::Places, tasks::Tasks};
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    bounds::{Bounds, BoundsQuery},
    config::Config,
    cursor::Cursor,
    event::{Event, Selection},
    log::{Log, Position},
    metrics::Metrics,
    replay::{self, Ended, Feed, Replay, Turn},
    scan::{Scan, Scans, Wanted},
    waiters::Waiters,
};

/// The process drains: reconnect elsewhere, the last cursor is good there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream of events stops")]
pub struct Stopped;

/// How a cursor goes on.
#[derive(Debug)]
pub(crate) enum Resumed<E> {
    Log(Position),
    Replay(Replay<E>),
    Gap,
}

/// Who reads. Readers of one caller have together at most a share of the turns at reading the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Caller(pub u64);

/// What the log can say of a cursor without asking the broker.
enum Judged {
    Log(Position),
    /// Older than the log, which ends here.
    Older(Cursor),
    Gap,
    /// From a newer epoch, or past the end: perhaps this process is behind.
    Ahead,
}

/// What tail and readers share.
#[derive(Debug)]
pub(crate) struct Shared<E: Event> {
    pub(crate) config: Config,
    pub(crate) kafka: kafka::Config,
    pub(crate) reading: E::Reading,
    pub(crate) log: RwLock<Log<E>>,
    pub(crate) waiters: Waiters<E>,
    pub(crate) bounds: BoundsQuery,
    /// Whether the log has caught up with the topic since it was started over.
    pub(crate) live: watch::Sender<bool>,
    /// Notified after every record.
    pub(crate) progress: Notify,
    pub(crate) metrics: Metrics,
    turns: Places<Caller>,
    scans: Scans<E>,
    tasks: Tasks,
    stopped: CancellationToken,
}

impl<E: Event> Shared<E> {
    pub(crate) fn new(
        config: Config,
        kafka: kafka::Config,
        reading: E::Reading,
        bounds: BoundsQuery,
        tasks: &Tasks,
    ) -> Self {
        Self {
            log: RwLock::new(Log::new(config.log_bytes)),
            waiters: Waiters::default(),
            bounds,
            live: watch::Sender::new(false),
            progress: Notify::new(),
            metrics: Metrics::of(&kafka.topic),
            turns: Places::new(config.max_replays, config.max_replays_per_caller),
            scans: Scans::default(),
            tasks: tasks.clone(),
            stopped: tasks.token(),
            config,
            kafka,
            reading,
        }
    }

    /// Waits until the log has caught up.
    pub(crate) async fn live(&self) -> Result<(), Stopped> {
        let mut live = self.live.subscribe();
        self.unless_stopped(live.wait_for(|live| *live))
            .await?
            .map(drop)
            .map_err(|_| Stopped)
    }

    /// The work's outcome, or [`Stopped`] when the process drains.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Stopped> {
        tokio::select! {
            () = self.stopped.cancelled() => Err(Stopped),
            done = work => Ok(done),
        }
    }

    /// Decides how a reader goes on after `cursor`.
    pub(crate) async fn resume(
        self: &Arc<Self>,
        caller: Caller,
        scope: &E::Scope,
        cursor: &Cursor,
    ) -> Result<Resumed<E>, Stopped> {
        loop {
            self.live().await?;
            match self.judge(cursor) {
                Judged::Log(position) => return Ok(Resumed::Log(position)),
                Judged::Gap => return Ok(Resumed::Gap),
                Judged::Ahead => {
                    let bounds = self.bounds().await?;
                    if past_end(cursor, &bounds.high) {
                        return Ok(Resumed::Gap);
                    }
                    // Of this stream and within the topic: what is read from here on up to the cursor was seen already. To
                    // wait for it would be to wait for ever where the topic ends in something that is no record.
                    if let Some(position) = self.position_ahead(cursor) {
                        return Ok(Resumed::Log(position));
                    }
                    self.catch_up(&bounds).await?;
                    if matches!(self.judge(cursor), Judged::Ahead) {
                        return Ok(Resumed::Gap);
                    }
                }
                Judged::Older(aim) => {
                    let begin = cursor.clone();
                    let replay = if scope.is_narrow() {
                        self.scanned(scope.clone(), begin, aim)
                    } else {
                        self.replay(caller, scope.clone(), begin, aim)
                    };
                    return Ok(Resumed::Replay(replay));
                }
            }
        }
    }

    fn judge(&self, cursor: &Cursor) -> Judged {
        let log = self.log.read();
        let (theirs, ours) = (cursor.epoch(), log.epoch());
        let known = !theirs.is_nil() && !ours.is_nil();
        if known && theirs < ours {
            return Judged::Gap;
        }
        let end = log.end();
        if (known && theirs > ours) || !end.covers(cursor) {
            return Judged::Ahead;
        }
        log.position(cursor).map_or(Judged::Older(end), Judged::Log)
    }

    /// The position of a cursor of this stream that the log has not reached.
    fn position_ahead(&self, cursor: &Cursor) -> Option<Position> {
        let log = self.log.read();
        let is_of_this_stream = cursor.epoch() == log.epoch() || cursor.epoch().is_nil();
        is_of_this_stream.then(|| log.position(cursor)).flatten()
    }

    /// Asks for a turn at reading the topic, in a task: a reader that is not polled must not hold up those behind it.
    fn replay(
        self: &Arc<Self>,
        caller: Caller,
        scope: E::Scope,
        begin: Cursor,
        aim: Cursor,
    ) -> Replay<E> {
        let (replay, feed) = Replay::new(replay::BUFFER);
        let shared = Arc::clone(self);
        let turn = async move {
            let turn = shared.turn(caller, scope, &begin, aim, &feed);
            let ended = tokio::select! {
                ended = shared.unless_stopped(turn) => ended.and_then(|ended| ended),
                () = feed.abandoned() => return,
            };
            if let Ok(ended) = ended {
                feed.end(ended);
            }
        };
        let _task = self.tasks.spawn("order-stream replay", turn);
        replay
    }

    /// Asks for a scan of the topic, which is shared with all who wait for one.
    fn scanned(self: &Arc<Self>, scope: E::Scope, begin: Cursor, aim: Cursor) -> Replay<E> {
        let (replay, feed) = Replay::new(SCAN_BUFFER);
        let wanted = Wanted {
            scope,
            begin,
            aim,
            feed,
        };
        if self.scans.ask(wanted) {
            let shared = Arc::clone(self);
            let scanning = async move {
                // Those who wait hear of a stop by themselves.
                shared.unless_stopped(shared.scan()).await.ok();
            };
            let _task = self.tasks.spawn("order-stream scan", scanning);
        }
        replay
    }

    /// Scans until nobody waits.
    async fn scan(&self) {
        loop {
            let wanted = self.scans.gather().await;
            if !wanted.is_empty() && self.scan_for(wanted).await.is_err() {
                return;
            }
            if !self.scans.end() {
                return;
            }
        }
    }

    async fn scan_for(&self, wanted: Vec<Wanted<E>>) -> Result<(), Stopped> {
        let bounds = self.bounds().await?;
        let is_lost = |wanted: &Wanted<E>| lost(&wanted.begin, &wanted.aim, &bounds);
        let (gone, wanted): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_lost);
        for reader in gone {
            reader.feed.end(Ended::Gone);
        }
        // The topic ends before the log does: it was made anew, and the log will know.
        let is_within = |wanted: &Wanted<E>| wanted.is_within(&bounds.high);
        let (wanted, beyond): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_within);
        if !beyond.is_empty() {
            self.pause().await?;
            go_on(beyond);
        }
        if wanted.is_empty() {
            return Ok(());
        }
        match Scan::start(
            &self.kafka,
            &wanted,
            &bounds,
            self.metrics.clone(),
            self.reading.clone(),
        ) {
            Ok(scan) => scan.read(wanted, &self.scans).await,
            Err(error) => {
                tracing::warn!(%error, "a replay could not start");
                self.pause().await?;
                go_on(wanted);
            }
        }
        Ok(())
    }

    async fn turn(
        &self,
        caller: Caller,
        scope: E::Scope,
        begin: &Cursor,
        aim: Cursor,
        feed: &Feed<E>,
    ) -> Result<Ended, Stopped> {
        let place = self.turns.take(&caller).await;
        let bounds = self.bounds().await?;
        if lost(begin, &aim, &bounds) {
            return Ok(Ended::Gone);
        }
        self.metrics.replays.inc();
        match Turn::start(
            &self.kafka,
            scope,
            begin,
            aim,
            &bounds,
            self.reading.clone(),
            place,
        ) {
            Ok(turn) => Ok(turn.read(feed).await),
            Err(error) => {
                tracing::warn!(%error, "a replay could not start");
                self.pause().await?;
                Ok(Ended::At(begin.clone()))
            }
        }
    }

    /// The topic's bounds, as soon as the broker answers.
    async fn bounds(&self) -> Result<Bounds, Stopped> {
        loop {
            match self.unless_stopped(self.bounds.ask()).await? {
                Ok(bounds) => return Ok(bounds),
                Err(error) => {
                    tracing::debug!(%error, "a reader waits for the broker");
                    self.pause().await?;
                }
            }
        }
    }

    /// Waits until the log has everything below the bounds, or was started over.
    pub(crate) async fn catch_up(&self, bounds: &Bounds) -> Result<(), Stopped> {
        let aim = Cursor::new(self.log.read().epoch(), &bounds.high);
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            {
                let log = self.log.read();
                if log.end().covers(&aim) || !log.is_live() {
                    return Ok(());
                }
            }
            self.unless_stopped(progress).await?;
        }
    }

    async fn pause(&self) -> Result<(), Stopped> {
        self.unless_stopped(tokio::time::sleep(self.config.check_interval / 4))
            .await
    }
}

/// Lets readers ask again from where they are.
fn go_on<E: Event>(wanted: Vec<Wanted<E>>) {
    for Wanted { begin, feed, .. } in wanted {
        feed.end(Ended::At(begin));
    }
}

/// Events of one reader that wait for it: a scan waits for nobody.
const SCAN_BUFFER: usize = 256;

/// Whether the topic no longer has all between two places, or never had the first.
fn lost(begin: &Cursor, aim: &Cursor, bounds: &Bounds) -> bool {
    let is_lost = |(partition, low): (usize, &i64)| {
        let next = begin.next(partition);
        next < aim.next(partition) && next < *low
    };
    bounds.low.iter().enumerate().any(is_lost) || past_end(begin, &bounds.high)
}

/// Whether the cursor names a place that the topic has not reached.
fn past_end(cursor: &Cursor, high: &[i64]) -> bool {
    let end = |partition: usize| high.get(partition).copied().unwrap_or(0);
    (0..cursor.offsets().len()).any(|partition| cursor.next(partition) > end(partition))
}
