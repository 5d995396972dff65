//! Handles a batch of messages: inbox and effect in one transaction, then the sink.
//!
//! Only when all of it is done does the caller commit the offsets. So after a crash anywhere the messages come
//! again, find their inbox rows, and go on where they were: an effect happens once, a sink may see a repeat.

use std::{collections::HashSet, sync::Arc};

use chassis::{
    clock::Clock,
    crash,
    postgres::{self, within},
    telemetry::trace,
};
use schema::event::OrderEvent;
use sea_orm::{DatabaseConnection, DbErr, TransactionTrait as _};
use tracing::{Instrument as _, Span};

use crate::{
    message::Received,
    metrics,
    sink::{Sink, SinkError},
    store::{self, Positioned},
    webhook::Wake,
};

/// Why a batch is not done; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandleError {
    #[error("database: {0}")]
    Database(#[from] DbErr),
    #[error(transparent)]
    Sink(#[from] SinkError),
}

impl HandleError {
    /// Whether the database refuses the data itself, so that trying again cannot help. SQLSTATE classes 22
    /// (data exception) and 23 (integrity constraint).
    fn is_about_the_data(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        postgres::sqlstate(error)
            .is_some_and(|state| state.starts_with("22") || state.starts_with("23"))
    }
}

/// Messages as they are to be handled.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Positioned>,
    poison: Vec<(Received, String)>,
}

/// Handles messages of one topic.
pub(crate) struct Handler {
    pub(crate) database: DatabaseConnection,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Clock,
    pub(crate) topic: String,
    /// Wakes the webhook's dispatcher, if events are posted.
    pub(crate) webhook: Option<Wake>,
}

impl Handler {
    /// Handles the messages, all or none as far as the database is concerned.
    ///
    /// # Errors
    /// [`HandleError`] when database or sink are away: call again with the same messages.
    pub(crate) async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
        match self.handle_together(messages).await {
            Err(error) if error.is_about_the_data() => self.handle_one_by_one(messages).await,
            done => done,
        }
    }

    /// The batch is one transaction, so its statements are in the first event's trace, and the others link to it.
    async fn handle_together(&self, messages: &[Received]) -> Result<(), HandleError> {
        let batch = sort(messages);
        let spans: Vec<Span> = batch.events.iter().map(|it| span(&it.event)).collect();
        let Some((first, others)) = spans.split_first() else {
            return self.handle_sorted(&batch).await;
        };
        let context = trace::traceparent(first);
        for other in others {
            trace::link(other, context.as_deref());
        }
        self.handle_sorted(&batch).instrument(first.clone()).await
    }

    async fn handle_sorted(&self, batch: &Batch) -> Result<(), HandleError> {
        let writing = async {
            let tx = self.database.begin().await?;
            let fresh = store::receive(&tx, &batch.events, self.webhook.is_some()).await?;
            for (message, reason) in &batch.poison {
                store::park(&tx, &self.topic, message, reason).await?;
            }
            if fresh > 0 {
                crash::at("notifier::after_write");
            }
            tx.commit().await?;
            Ok::<_, DbErr>(fresh)
        };
        let fresh = within(&self.database, writing).await?;
        if let Some(webhook) = self.webhook.as_ref().filter(|_| fresh > 0) {
            webhook.notify_one();
        }
        self.count(batch, fresh);
        self.note_parked(&batch.poison);
        self.deliver(&batch.events).await
    }

    /// Finds the message that the database refuses, and parks it.
    async fn handle_one_by_one(&self, messages: &[Received]) -> Result<(), HandleError> {
        for message in messages {
            match self.handle_together(std::slice::from_ref(message)).await {
                Err(error) if error.is_about_the_data() => {
                    let reason = error.to_string();
                    let parking = store::park(&self.database, &self.topic, message, &reason);
                    within(&self.database, parking).await?;
                    self.note_parked(&[(message.clone(), reason)]);
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn deliver(&self, events: &[Positioned]) -> Result<(), HandleError> {
        if events.is_empty() {
            return Ok(());
        }
        let undelivered = store::list_undelivered(&self.database, events);
        let undelivered = within(&self.database, undelivered).await?;
        let mut delivered = Vec::with_capacity(undelivered.len());
        let mut outcome = Ok(());
        for positioned in events
            .iter()
            .filter(|it| undelivered.contains(&it.event.event_id))
        {
            outcome = self.sink.deliver(&positioned.event).await;
            if outcome.is_err() {
                break;
            }
            delivered.push(positioned.event.event_id);
        }
        let count = delivered.len() as u64;
        if count > 0 {
            let marking = store::mark_delivered(&self.database, delivered, self.clock.now());
            within(&self.database, marking).await?;
        }
        metrics::DELIVERED.inc_by(count);
        Ok(outcome?)
    }

    fn count(&self, batch: &Batch, fresh: u64) {
        let known = (batch.events.len() as u64).saturating_sub(fresh);
        metrics::EVENTS
            .with_label_values(&["handled"])
            .inc_by(fresh);
        metrics::EVENTS
            .with_label_values(&["duplicate"])
            .inc_by(known);
        if fresh == 0 {
            return;
        }
        for positioned in &batch.events {
            let age = (self.clock.now() - positioned.event.moment).to_std();
            metrics::EVENT_AGE.observe(&[], age.unwrap_or_default().as_secs_f64());
        }
    }

    fn note_parked(&self, poison: &[(Received, String)]) {
        for (message, reason) in poison {
            metrics::EVENTS.with_label_values(&["dead_letter"]).inc();
            tracing::error!(topic = %self.topic, partition = message.partition,
                offset = message.offset, %reason, "message parked in dead_letters");
        }
    }
}

/// The span of one event, in the trace of the change that it tells of.
fn span(event: &OrderEvent) -> Span {
    let span = tracing::info_span!(
        "handle",
        otel.name = "handle order event",
        otel.kind = "consumer",
        order.id = %event.order_id,
        version = event.version,
        trace_id = tracing::field::Empty,
    );
    trace::follow(span, event.traceparent.as_deref())
}

/// Decodes the messages; an event that stands twice in the batch counts once.
fn sort(messages: &[Received]) -> Batch {
    let mut batch = Batch::default();
    let mut seen = HashSet::new();
    for message in messages {
        let (partition, offset) = (message.partition, message.offset);
        match message.decode() {
            Ok(event) if seen.insert(event.event_id) => {
                batch.events.push(Positioned {
                    event,
                    partition,
                    offset,
                });
            }
            Ok(_) => {}
            Err(error) => batch.poison.push((message.clone(), error.to_string())),
        }
    }
    batch
}
