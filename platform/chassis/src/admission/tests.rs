//! The limiter in front of a server of a known capacity, in paused time.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{Config, Door, Limiter, Priority};

/// Two processors of 5 ms a request: 400 a second.
const WORK: Duration = Duration::from_millis(5);
const CAPACITY: usize = 400;
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    sent: usize,
    good: usize,
    refused: usize,
    late: usize,
}

struct Server {
    processors: Semaphore,
    door: Door,
}

impl Server {
    fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            processors: Semaphore::new(2),
            door: Limiter::new("test", config).door("test"),
        })
    }

    async fn serve(&self, class: Priority) -> bool {
        let Ok(permit) = self.door.admit(class, None).await else {
            return false;
        };
        let work = async {
            let processor = self.processors.acquire().await;
            sleep(WORK).await;
            drop(processor);
        };
        permit.hold(work).await;
        true
    }
}

/// One request in ten pays, three change, five read, one has no token.
fn class(number: usize) -> Priority {
    match number % 10 {
        0 => Priority::Payment,
        1..=3 => Priority::Mutation,
        4..=8 => Priority::Read,
        _ => Priority::Anonymous,
    }
}

/// Sends `rate` requests a second, whoever answers or not; counts those that come after `warm_up`.
async fn open_loop(
    server: &Arc<Server>,
    rate: usize,
    (warm_up, seconds): (usize, usize),
) -> [Counts; 5] {
    let counts = Arc::new(Mutex::new([Counts::default(); 5]));
    let mut clients = JoinSet::new();
    for number in 0..rate * (warm_up + seconds) {
        // A timer counts whole milliseconds.
        if number.is_multiple_of(rate / 100) {
            sleep(Duration::from_millis(10)).await;
        }
        let (server, counts) = (Arc::clone(server), Arc::clone(&counts));
        clients.spawn(async move {
            let class = class(number);
            let served = timeout(PATIENCE, server.serve(class)).await;
            if number < rate * warm_up {
                return;
            }
            let mut counts = counts.lock();
            let counts = &mut counts[class.index()];
            counts.sent += 1;
            match served {
                Ok(true) => counts.good += 1,
                Ok(false) => counts.refused += 1,
                Err(_) => counts.late += 1,
            }
        });
    }
    while clients.join_next().await.is_some() {}
    *counts.lock()
}

/// Seen red with a limit that never falls and the oldest served first, both at once.
#[tokio::test(start_paused = true)]
async fn at_five_times_the_capacity_the_server_works_for_those_who_wait() {
    let server = Server::new(Config::default());
    let counts = open_loop(&server, CAPACITY * 5, (10, 10)).await;
    let good: usize = counts.iter().map(|class| class.good).sum();
    let late: usize = counts.iter().map(|class| class.late).sum();
    assert!(good >= CAPACITY * 10 * 9 / 10, "{counts:?}");
    assert_eq!(late, 0, "{counts:?}");
    let served = |class: Priority| {
        let counts = counts[class.index()];
        counts.good * 100 / counts.sent
    };
    assert!(served(Priority::Payment) >= 95, "{counts:?}");
    assert!(served(Priority::Read) > 0, "nobody starves: {counts:?}");
    assert!(
        served(Priority::Mutation) > served(Priority::Anonymous),
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_waits_and_nobody_of_it_is_refused() {
    let server = Server::new(Config::default());
    let mut clients = JoinSet::new();
    for _ in 0..380 {
        let server = Arc::clone(&server);
        clients.spawn(async move { server.serve(Priority::Mutation).await });
    }
    while let Some(served) = clients.join_next().await {
        assert!(served.unwrap());
    }
}

/// Seen red with the newest first: one of them waited for 140 ms, 60 in the mean.
#[tokio::test(start_paused = true)]
async fn clients_that_keep_a_machine_busy_wait_about_equally_long() {
    let server = Server::new(Config::default());
    let mut clients = JoinSet::new();
    for _ in 0..24 {
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let mut longest = Duration::ZERO;
            for _ in 0..200 {
                let asked = Instant::now();
                assert!(server.serve(Priority::Read).await);
                longest = longest.max(asked.elapsed());
            }
            longest
        });
    }
    let mean = WORK * 24 / 2;
    while let Some(longest) = clients.join_next().await {
        let longest = longest.unwrap();
        assert!(longest < mean * 2, "{longest:?}, {mean:?} in the mean");
    }
}

fn one_place() -> Config {
    Config {
        places_min: 1,
        places_max: 1,
        ..Config::default()
    }
}

/// Seen red when only the queue's age tells a burst.
#[tokio::test(start_paused = true)]
async fn a_crowd_that_is_too_large_for_the_queue_is_no_burst() {
    let config = Config {
        queue_max: 2,
        ..one_place()
    };
    let (wait, burst_wait) = (config.wait, config.burst_wait);
    let door = Limiter::new("test", config).door("test");
    let held = door.admit(Priority::Read, None).await.unwrap();
    let started = Instant::now();
    let mut crowd = JoinSet::new();
    for _ in 0..3 {
        let door = door.clone();
        crowd.spawn(async move { door.admit(Priority::Read, None).await.is_err() });
    }
    // Somebody who asks is what lets those go who have waited too long.
    sleep(wait).await;
    assert!(
        door.admit(Priority::Read, Some(Instant::now() + wait))
            .await
            .is_err()
    );
    while let Some(refused) = crowd.join_next().await {
        assert!(refused.unwrap());
    }
    assert!(started.elapsed() < burst_wait, "{:?}", started.elapsed());
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn who_left_while_waiting_holds_nothing() {
    let door = Limiter::new("test", one_place()).door("test");
    let first = door.admit(Priority::Read, None).await.unwrap();
    let mut waits = Box::pin(door.admit(Priority::Read, None));
    assert!(futures::poll!(&mut waits).is_pending());
    drop(waits);
    drop(first);
    assert!(door.admit(Priority::Read, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_cannot_be_met_is_refused_at_once() {
    let door = Limiter::new("test", one_place()).door("test");
    let held = door.admit(Priority::Read, None).await.unwrap();
    let started = Instant::now();
    let refused = door.admit(Priority::Read, Some(started)).await;
    assert_eq!(refused.unwrap_err().retry_after, Duration::from_secs(1));
    assert_eq!(started.elapsed(), Duration::ZERO);
    drop(held);
}

/// Seen red with a place that is held until the work ends.
#[tokio::test(start_paused = true)]
async fn work_that_waits_for_something_gives_its_place_back() {
    let door = Limiter::new("test", one_place()).door("test");
    let hangs = door.admit(Priority::Read, None).await.unwrap();
    let mut hangs = Box::pin(hangs.hold(std::future::pending::<()>()));
    assert!(futures::poll!(&mut hangs).is_pending());
    let next = tokio::select! {
        () = &mut hangs => unreachable!(),
        next = door.admit(Priority::Read, None) => next,
    };
    assert!(next.is_ok());
}
