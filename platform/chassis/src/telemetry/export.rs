//! Sends spans to a collector by OTLP and counts what becomes of them, and keeps the last ones in this process.
//!
//! Invariant: a collector that is slow or away costs dropped spans, never a request: spans wait in a bounded queue, and
//! one that finds it full is dropped and counted.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::{Context, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span,
        SpanData, SpanExporter, SpanProcessor,
    },
};
use prometheus::{IntCounterVec, register_int_counter_vec};

use super::recent::Traces;

/// Spans that wait for the collector; one more is dropped.
const QUEUE: usize = 8_192;
/// Spans in one call of the collector.
const BATCH: usize = 512;
/// How long a span waits for company.
const DELAY: Duration = Duration::from_millis(500);
/// The longest that one call of the collector, or the last flush, may take.
const TIMEOUT: Duration = Duration::from_secs(2);

static SPANS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_telemetry_spans_total",
        "Finished spans by what became of them: exported, failed, dropped",
        &["outcome"]
    )
    .expect("the name is registered once")
});

/// Sends the spans of a process until it is shut down.
#[derive(Debug)]
pub(super) struct Export {
    provider: SdkTracerProvider,
}

impl Export {
    /// Gives spans to the collector, if there is one, and to what is kept of late, if anything is. It connects when the first
    /// spans leave, so a collector that is away does not stop the start.
    ///
    /// # Errors
    /// When `endpoint` is not an address.
    pub(super) fn new(
        endpoint: Option<&str>,
        kept: Option<&'static Traces>,
        sample_ratio: f64,
        service: &'static str,
    ) -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        let collected = endpoint.map(collector).transpose()?;
        announce();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio)));
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(opentelemetry::KeyValue::new(
                "service.namespace",
                "marketplace",
            ))
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        let mut provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource);
        if let Some(traces) = kept {
            provider = provider.with_span_processor(Keeping(traces));
        }
        if let Some(collected) = collected {
            provider = provider.with_span_processor(collected);
        }
        let provider = provider.build();
        Ok(Self { provider })
    }

    /// What makes spans of this process.
    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("marketplace")
    }

    /// Sends what waits, for at most two seconds. Blocks its thread.
    pub(super) fn shut_down(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(TIMEOUT) {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// What takes spans to the collector.
fn collector(endpoint: &str) -> Result<Bounded, opentelemetry_otlp::ExporterBuildError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(TIMEOUT)
        .build()?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let exporter = CountedExporter {
        inner: exporter,
        waiting: waiting.clone(),
        away: AtomicBool::new(false),
    };
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE + BATCH)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(DELAY)
        .build();
    let inner = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches)
        .build();
    Ok(Bounded { inner, waiting })
}

/// Shows every outcome from the start, also where no collector is set.
pub(super) fn announce() {
    for outcome in ["exported", "failed", "dropped"] {
        SPANS.with_label_values(&[outcome]).inc_by(0);
    }
}

/// Keeps what has ended in this process's memory.
#[derive(Debug)]
struct Keeping(&'static Traces);

impl SpanProcessor for Keeping {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.take(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Lets in what the queue has room for.
#[derive(Debug)]
struct Bounded {
    inner: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.inner.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        // Two threads may both see the last place: the inner queue has room for a batch more.
        if self.waiting.load(Ordering::Relaxed) >= QUEUE {
            SPANS.with_label_values(&["dropped"]).inc();
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts what left, and says once when the collector goes and once when it is back.
struct CountedExporter<E> {
    inner: E,
    waiting: Arc<AtomicUsize>,
    away: AtomicBool,
}

impl<E> fmt::Debug for CountedExporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedExporter").finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.inner.export(batch).await;
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let outcome = if sent.is_ok() { "exported" } else { "failed" };
        SPANS
            .with_label_values(&[outcome])
            .inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
        let was_away = self.away.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_away => {
                tracing::warn!(%error, "the collector takes no spans; they are dropped and counted");
            }
            Ok(()) if was_away => tracing::info!("the collector takes spans again"),
            Ok(()) | Err(_) => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentelemetry::trace::{Span as _, Tracer as _};

    use super::*;

    fn count(outcome: &str) -> u64 {
        SPANS.with_label_values(&[outcome]).get()
    }

    /// Both halves in one test, since they read the same counters.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_is_away_costs_counted_spans_and_no_waiting() {
        // Nothing listens on port 1.
        let export = Export::new(Some("http://127.0.0.1:1"), None, 1.0, "test").unwrap();
        let (failed, started) = (count("failed"), Instant::now());
        for _ in 0..100 {
            export.tracer().start("span").end();
        }
        assert!(started.elapsed() < TIMEOUT, "a span waits for no collector");
        tokio::task::spawn_blocking(move || export.shut_down())
            .await
            .unwrap();
        assert_eq!(count("failed") - failed, 100);

        let dropped = count("dropped");
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint("http://127.0.0.1:1");
        let exporter = exporter.build().unwrap();
        let full = Bounded {
            inner: BatchSpanProcessor::builder(exporter).build(),
            waiting: Arc::new(AtomicUsize::new(QUEUE)),
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(full)
            .build();
        provider.tracer("test").start("one too many").end();
        assert_eq!(count("dropped") - dropped, 1);
    }
}
