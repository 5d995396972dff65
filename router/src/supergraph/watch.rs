//! Looks at the source from time to time and at SIGHUP, and puts what is new and good in force.

use std::{sync::Arc, time::Duration};

use chassis::{clock::Clock, fault::chain, tasks::Tasks};
use federation::{Engine, LoadError};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    kept::Kept,
    metrics::{self, Look},
    source::{Source, SourceError},
};

/// What keeps the served supergraph fresh.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) source: Source,
    pub(crate) kept: Kept,
    pub(crate) interval: Duration,
    pub(crate) clock: Clock,
}

impl Watch {
    /// The supergraph to start with: the source's, or the last good one where the source has none.
    ///
    /// # Errors
    /// [`SourceError`] where neither is there.
    pub(crate) async fn first(&mut self) -> Result<String, SourceError> {
        metrics::announce();
        let (look, why) = match self.source.look().await {
            Ok(None) => return Ok(schema::sdl::SUPERGRAPH.to_owned()),
            Ok(Some(text)) => match federation::api_schema(&text) {
                Ok(_) => return Ok(text),
                Err(error) => (Look::Refused, SourceError::Load(error)),
            },
            Err(error) => (Look::Unreachable, error),
        };
        look.count();
        let Ok(text) = self.kept.read().await else {
            return Err(why);
        };
        let error = chain(&why);
        tracing::warn!(%error, "the last good supergraph is served in place of its source's");
        Ok(text)
    }

    /// Notes that `text` is served.
    pub(crate) async fn serves(&self, text: &str) {
        metrics::loaded_at(self.clock.now().timestamp());
        if self.source.is_built_in() {
            return;
        }
        if let Err(error) = self.kept.write(text).await {
            tracing::warn!(%error, "the supergraph cannot be kept for the next start");
        }
    }

    /// Watches until the tasks' token; the built-in one never changes.
    pub(crate) fn run(mut self, engine: Arc<Engine>, tasks: &Tasks) {
        if self.source.is_built_in() {
            return;
        }
        let stop = tasks.token();
        tasks.spawn("supergraph", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.look_repeatedly(&engine) => {}
            }
        });
    }

    async fn look_repeatedly(&mut self, engine: &Arc<Engine>) {
        let mut hangups = signal(SignalKind::hangup()).ok();
        loop {
            let hung_up = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                _ = hung_up => {}
            }
            self.look(engine).await.count();
        }
    }

    async fn look(&mut self, engine: &Arc<Engine>) -> Look {
        let text = match self.source.look().await {
            Ok(Some(text)) => text,
            Ok(None) => return Look::Unchanged,
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(%error, "the supergraph cannot be read; what is served stays");
                return Look::Unreachable;
            }
        };
        match engine.reload(&text).await {
            Ok(()) => {
                tracing::info!("another supergraph is served");
                self.serves(&text).await;
                Look::Loaded
            }
            Err(error) => refused(&error),
        }
    }
}

fn refused(error: &LoadError) -> Look {
    let error = chain(error);
    tracing::error!(%error, "the supergraph is refused; what is served stays");
    Look::Refused
}
