//! Faults on purpose, each of which heals by itself: after its time, or when the marketplace stops before that.
//!
//! Whoever put a fault in may go away: the healing is a task of the marketplace, which its stop waits for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chassis::tasks::Tasks;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::refusal::Refusal;

/// How often healing is tried.
const TRIES: u32 = 5;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Something that can be broken for a while.
pub trait Fault: fmt::Debug + Send + Sync + 'static {
    /// Its name in addresses.
    fn name(&self) -> &'static str;

    /// What it does, for people.
    fn title(&self) -> &'static str;

    /// What is broken; two faults of one part exclude each other.
    fn part(&self) -> &'static str;

    /// After how long it heals.
    fn lasts(&self) -> Duration;

    /// Why it cannot be had here; none when it can.
    fn unavailable(&self) -> Option<String> {
        None
    }

    /// Breaks the part.
    ///
    /// # Errors
    /// Why it is still whole, in words.
    fn inject(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Mends the part; mending what is whole changes nothing.
    ///
    /// # Errors
    /// Why it is still broken, in words.
    fn heal(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// All faults that there are here. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    all: Arc<[Arc<dyn Fault>]>,
    known: Arc<Mutex<Known>>,
    tasks: Tasks,
}

/// What is broken, and what became of what was.
#[derive(Debug, Default)]
struct Known {
    /// Broken parts: by which fault, and until when.
    broken: BTreeMap<&'static str, (&'static str, Instant)>,
    /// Faults that were there before: whether they healed.
    healed: BTreeMap<&'static str, bool>,
}

/// One line of `GET faults`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    name: &'static str,
    title: &'static str,
    heals_after_seconds: f64,
    active: bool,
    remaining_seconds: f64,
    /// Whether it has healed since it was last put in; none before that.
    healed: Option<bool>,
    available: bool,
    why: Option<String>,
}

impl Faults {
    pub(crate) fn new(all: Vec<Arc<dyn Fault>>, tasks: Tasks) -> Self {
        Self {
            all: all.into(),
            known: Arc::default(),
            tasks,
        }
    }

    /// All of them, as they are now.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.all.iter().map(|fault| self.show(&**fault)).collect()
    }

    fn show(&self, fault: &dyn Fault) -> Shown {
        let known = self.known.lock();
        let ends = known.broken.get(fault.part());
        let ends = ends.filter(|(by, _)| *by == fault.name());
        let remaining = ends.map(|(_, ends)| ends.saturating_duration_since(Instant::now()));
        let why = fault.unavailable();
        Shown {
            name: fault.name(),
            title: fault.title(),
            heals_after_seconds: fault.lasts().as_secs_f64(),
            active: remaining.is_some(),
            remaining_seconds: remaining.unwrap_or_default().as_secs_f64(),
            healed: known.healed.get(fault.name()).copied(),
            available: why.is_none(),
            why,
        }
    }

    /// Puts a fault in; a task takes it out.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for another name, [`Refusal::Conflict`] where it cannot be had or the part is broken already,
    /// [`Refusal::Away`] where it did not work.
    pub(crate) async fn start(&self, name: &str) -> Result<Shown, Refusal> {
        let found = self.all.iter().find(|fault| fault.name() == name);
        let Some(fault) = found.map(Arc::clone) else {
            let names: Vec<_> = self.all.iter().map(|fault| fault.name()).collect();
            let names = names.join(", ");
            return Err(Refusal::NotFound(format!(
                "no such fault; there are: {names}"
            )));
        };
        if let Some(why) = fault.unavailable() {
            return Err(Refusal::Conflict(why));
        }
        let place = Broken::enter(self, &*fault)?;
        // A client that goes away ends its request: what begins here runs to its end all the same.
        let injected = self.tasks.spawn("fault", {
            let (fault, tasks) = (fault.clone(), self.tasks.clone());
            async move {
                fault.inject().await?;
                let name = fault.name();
                let seconds = fault.lasts().as_secs();
                tracing::warn!(
                    fault = name,
                    seconds,
                    "a fault was put in on purpose; it heals by itself"
                );
                drop(tasks.spawn(
                    "fault that heals",
                    until_healed(fault, tasks.clone(), place),
                ));
                Ok::<_, String>(())
            }
        });
        let injected = injected
            .await
            .unwrap_or_else(|error| Err(error.to_string()));
        injected.map_err(|error| Refusal::Away(format!("{name} was not put in: {error}")))?;
        Ok(self.show(&*fault))
    }
}

/// A part that is broken, until this is dropped.
#[derive(Debug)]
struct Broken {
    part: &'static str,
    known: Arc<Mutex<Known>>,
}

impl Broken {
    fn enter(faults: &Faults, fault: &dyn Fault) -> Result<Self, Refusal> {
        let mut known = faults.known.lock();
        if let Some((by, ends)) = known.broken.get(fault.part()) {
            let left = ends.saturating_duration_since(Instant::now()).as_secs();
            return Err(Refusal::Conflict(format!(
                "{by} is active and heals in {left} s"
            )));
        }
        let ends = Instant::now() + fault.lasts();
        known.broken.insert(fault.part(), (fault.name(), ends));
        known.healed.remove(fault.name());
        Ok(Self {
            part: fault.part(),
            known: faults.known.clone(),
        })
    }

    /// The end of the fault of this name, for better or worse.
    fn end(self, name: &'static str, healed: bool) {
        self.known.lock().healed.insert(name, healed);
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.known.lock().broken.remove(self.part);
    }
}

async fn until_healed(fault: Arc<dyn Fault>, tasks: Tasks, place: Broken) {
    tasks
        .token()
        .run_until_cancelled(sleep(fault.lasts()))
        .await;
    for _ in 0..TRIES {
        if heals(&*fault).await {
            place.end(fault.name(), true);
            return;
        }
        sleep(PAUSE).await;
    }
    place.end(fault.name(), false);
    tracing::error!(
        fault = fault.name(),
        "the fault does not heal: start the marketplace anew"
    );
}

async fn heals(fault: &dyn Fault) -> bool {
    let healed = fault.heal().await;
    match &healed {
        Ok(()) => tracing::info!(fault = fault.name(), "the fault has healed"),
        Err(error) => {
            tracing::warn!(fault = fault.name(), %error, "the fault has not healed yet");
        }
    }
    healed.is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counted {
        name: &'static str,
        injected: AtomicU32,
        healed: AtomicU32,
        /// Healing that fails before one works.
        stubborn: u32,
        unavailable: bool,
    }

    impl Fault for Counted {
        fn name(&self) -> &'static str {
            self.name
        }

        fn title(&self) -> &'static str {
            "a fault"
        }

        fn part(&self) -> &'static str {
            "part"
        }

        fn lasts(&self) -> Duration {
            Duration::from_secs(20)
        }

        fn unavailable(&self) -> Option<String> {
            self.unavailable.then(|| "not here".to_owned())
        }

        fn inject(&self) -> BoxFuture<'_, Result<(), String>> {
            self.injected.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(()) })
        }

        fn heal(&self) -> BoxFuture<'_, Result<(), String>> {
            let tries = self.healed.fetch_add(1, Ordering::Relaxed);
            let healed = tries >= self.stubborn;
            Box::pin(async move {
                if healed {
                    Ok(())
                } else {
                    Err("not yet".to_owned())
                }
            })
        }
    }

    fn faults(of: &Arc<Counted>, tasks: &Tasks) -> Faults {
        let other = Arc::new(Counted {
            name: "other",
            ..Counted::default()
        });
        Faults::new(vec![of.clone(), other], tasks.clone())
    }

    fn named(stubborn: u32) -> Arc<Counted> {
        Arc::new(Counted {
            name: "one",
            stubborn,
            ..Counted::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_heals_by_itself_and_excludes_the_others_of_its_part_until_then() {
        let (fault, tasks) = (named(2), Tasks::new());
        let faults = faults(&fault, &tasks);
        let shown = faults.start("one").await.unwrap();
        assert!(shown.active && shown.remaining_seconds > 19.0, "{shown:?}");
        for again in ["one", "other"] {
            let refused = faults.start(again).await.unwrap_err();
            assert!(matches!(refused, Refusal::Conflict(_)), "{refused:?}");
            assert!(refused.to_string().contains("heals in"), "{refused}");
        }
        sleep(Duration::from_secs(19)).await;
        assert_eq!(fault.healed.load(Ordering::Relaxed), 0);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(fault.healed.load(Ordering::Relaxed), 3, "it was stubborn");
        let shown = &faults.shown()[0];
        assert_eq!((shown.active, shown.healed), (false, Some(true)));
        faults.start("other").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_that_does_not_heal_is_not_told_to_have_healed() {
        let (fault, tasks) = (named(u32::MAX), Tasks::new());
        let faults = faults(&fault, &tasks);
        assert_eq!(faults.start("one").await.unwrap().healed, None);
        sleep(Duration::from_secs(30)).await;
        let shown = &faults.shown()[0];
        assert_eq!((shown.active, shown.healed), (false, Some(false)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_heals_when_the_marketplace_stops_and_its_client_has_gone() {
        let (fault, tasks) = (named(0), Tasks::new());
        let faults = faults(&fault, &tasks);
        drop(futures::poll!(Box::pin(faults.start("one"))));
        tokio::task::yield_now().await;
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
        let counts = [&fault.injected, &fault.healed].map(|it| it.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 1]);
    }

    #[tokio::test]
    async fn what_cannot_be_had_says_why() {
        let tasks = Tasks::new();
        let fault = Arc::new(Counted {
            name: "one",
            unavailable: true,
            ..Counted::default()
        });
        let faults = faults(&fault, &tasks);
        let refused = faults.start("one").await.unwrap_err();
        assert_eq!(refused.to_string(), "not here");
        let refused = faults.start("none").await.unwrap_err();
        assert!(refused.to_string().contains("one, other"), "{refused}");
        assert_eq!(faults.shown()[0].why.as_deref(), Some("not here"));
    }
}
