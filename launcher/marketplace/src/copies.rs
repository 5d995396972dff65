//! Checks at the start of the order service whether its topics have as many copies as the settings ask.
//!
//! The profile `production` does not start on a weaker topic; the demo warns, and its health names it while it stays so. A cluster
//! that does not answer, or has no topic yet, stops no start: it is asked again.

use std::time::Duration;

use chassis::kafka::topic::{self, Weakness};
use rdkafka::error::KafkaError;
use schema::event::STOCK_TOPIC;

use crate::services::ServiceHost;
use crate::settings::{Profile, Settings};

/// How often a cluster that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often a weak topic is looked at again: somebody may mend it.
const MENDED: Duration = Duration::from_secs(30);

/// What is weaker than asked, of the topics that the order service writes.
///
/// # Errors
/// When the cluster does not answer, or a topic is not there.
async fn look(settings: &Settings) -> Result<Vec<Weakness>, KafkaError> {
    let mut weak = Vec::new();
    for config in [&settings.kafka, &settings.kafka.beside(STOCK_TOPIC)] {
        weak.extend(topic::weakness(config).await?);
    }
    Ok(weak)
}

impl ServiceHost {
    /// Checks the topics.
    ///
    /// # Errors
    /// In production, when one is weaker than asked; the message says how to mend it.
    pub(crate) async fn check_copies(&self) -> anyhow::Result<()> {
        if self.settings.kafka.replication_factor == 1 {
            return Ok(());
        }
        match look(&self.settings).await {
            Ok(weak) => match weak.first() {
                None => return Ok(()),
                Some(first) if self.settings.profile == Profile::Production => {
                    anyhow::bail!(first.told())
                }
                Some(_) => {}
            },
            Err(error) => tracing::debug!(%error, "the copies of the topics are not known yet"),
        }
        self.watch_copies();
        Ok(())
    }

    fn watch_copies(&self) {
        let (host, token) = (self.clone(), self.tasks.token());
        self.tasks.spawn("topic copies", async move {
            Box::pin(token.run_until_cancelled(host.until_copied())).await;
        });
    }

    /// Looks until all is as asked, and says in health what is not: in production that takes the process out of rotation.
    async fn until_copied(&self) {
        let mut seen: Option<(Vec<Weakness>, chassis::health::Component)> = None;
        loop {
            let Ok(weak) = look(&self.settings).await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let Some(told) = weak.first().map(Weakness::told) else {
                break;
            };
            if seen.as_ref().is_none_or(|(before, _)| *before != weak) {
                warn(&weak);
            }
            let component = match seen {
                Some((_, component)) => component,
                None if self.settings.profile == Profile::Production => {
                    self.health.component("topic-copies")
                }
                None => self.health.companion("topic-copies"),
            };
            component.give_way(told);
            seen = Some((weak, component));
            tokio::time::sleep(MENDED).await;
        }
        if let Some((_, component)) = &seen {
            component.up();
            tracing::info!("the topics have the copies that the settings ask for");
        }
    }
}

fn warn(weak: &[Weakness]) {
    for topic in weak {
        let told = topic.told();
        tracing::warn!(told, "a topic is weaker than asked");
    }
}
