#![expect(
    clippy::disallowed_methods,
    reason = "no drain waits for the tasks of a test"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use futures::future::join_all;
use parking_lot::Mutex;

use super::*;

fn turns(at_once_max: usize, waiting_max: usize) -> Turns {
    Turns::new(NewOperations {
        at_once_max,
        waiting_max,
        waiting_timeout: Duration::from_secs(60),
    })
}

/// Work that ends when the sender is gone.
struct Gate {
    open: Option<mpsc::Sender<()>>,
    shut: Arc<Mutex<mpsc::Receiver<()>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Gate {
    fn shut() -> Self {
        let (open, shut) = mpsc::channel();
        Self {
            open: Some(open),
            shut: Arc::new(Mutex::new(shut)),
            running: Arc::default(),
            most: Arc::default(),
        }
    }

    fn work(&self) -> impl FnOnce() -> Result<(), RequestError> + Send + 'static {
        let (shut, running, most) = (self.shut.clone(), self.running.clone(), self.most.clone());
        move || {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            // The lock is held by one at a time, and each is let through once the sender is gone.
            assert!(shut.lock().recv().is_err());
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    }
}

/// Of 200 at once two work and three wait; the others are told at once, before any of the five has ended. Fails without
/// the bound of the queue, and with a turn given back before the work.
#[tokio::test]
async fn two_hundred_at_once_are_a_few_at_work_a_few_who_wait_and_refusals() {
    let turns = Arc::new(turns(2, 3));
    let mut gate = Gate::shut();
    let (sender, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let all = (0..200).map(|_| {
        let (turns, work, sender) = (turns.clone(), gate.work(), sender.clone());
        tokio::spawn(async move {
            let made = turns.run(work).await;
            if let Err(error) = &made {
                sender.send(error.clone()).unwrap();
            }
            made.is_ok()
        })
    });
    let all: Vec<_> = all.collect();
    for _ in 0..195 {
        let error = refused.recv().await.unwrap();
        assert_eq!(error.code(), Code::OVERLOADED);
        let extensions = &error.errors()[0].extensions;
        assert_eq!(extensions["limit"], "waiting_max");
        assert_eq!(extensions["max"], 3);
        assert_eq!(
            extensions["setting"],
            "router.engine.new_operations.waiting_max"
        );
        assert_eq!(extensions["retryAfterSeconds"], 1);
    }
    while gate.running.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    gate.open = None;
    let done = join_all(all).await;
    assert_eq!(done.iter().filter(|it| *it.as_ref().unwrap()).count(), 5);
    assert_eq!(gate.most.load(Ordering::SeqCst), 2);
    assert!(turns.run(|| Ok(())).await.is_ok());
}

/// Fails without the timeout.
#[tokio::test]
async fn who_waits_too_long_is_refused_and_leaves_the_queue() {
    let mut turns = turns(1, 1);
    turns.config.waiting_timeout = Duration::from_millis(10);
    let turns = Arc::new(turns);
    let mut gate = Gate::shut();
    let first = tokio::spawn({
        let (turns, work) = (turns.clone(), gate.work());
        async move { turns.run(work).await }
    });
    tokio::task::yield_now().await;
    for _ in 0..3 {
        let refused = turns.run(|| Ok(())).await.unwrap_err();
        assert_eq!(
            refused.errors()[0].extensions["limit"],
            "waiting_timeout",
            "{refused}"
        );
    }
    gate.open = None;
    assert!(first.await.unwrap().is_ok());
}
