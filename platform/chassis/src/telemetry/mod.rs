//! Logs, traces and metrics of a process. Each span, metric and log event is listed in `docs/telemetry.md`.

mod export;
mod file;
pub mod http;
mod log;
mod metrics;
pub mod recent;
mod sample;
pub mod trace;

use std::{
    ffi::OsString,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use prometheus::{IntGaugeVec, register_int_gauge_vec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, FilterFn, dynamic_filter_fn},
    fmt,
    layer::{Filter, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

pub use metrics::{Latency, REQUEST_SECONDS, exposition, metrics_text, routes};

/// Crates whose spans make a trace: ours, and the SQL statements.
const TRACED: &[&str] = &[
    "cart",
    "catalogue",
    "chassis",
    "comments",
    "federation",
    "idempotency",
    "loms",
    "notifier",
    "outbox",
    "product_service",
    "rest",
    "router",
    "sea_orm",
];

static BUILD: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_build_info",
        "1, with the version of this process",
        &["version"]
    )
    .expect("the name is registered once")
});

/// How a process logs, and where its traces go.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A filter as `tracing` reads it, for instance `info,loms=debug`. What the libraries of HTTP, gRPC, WebSocket and TLS say
    /// below `info` is left out all the same: it holds tokens.
    pub log_filter: String,
    /// `text` for people, `json` for machines.
    pub log_format: LogFormat,
    /// Where traces go by OTLP over gRPC, for instance `http://127.0.0.1:4317`; empty records none.
    pub otlp_endpoint: String,
    /// The share of traces that are recorded, 0 to 1, where the caller has not decided.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub trace_sample_ratio: f64,
    /// Memory for the traces and log lines of late, which the operators' console shows; 0 keeps none. Unset, the services of
    /// an `up` with a console keep 8 MiB together where they share a process, and as much each where they do not.
    #[schemars(range(max = 67_108_864))]
    pub recent_bytes: Option<usize>,
    /// A file that gets the log lines as JSON, beside standard error. At 8 MiB a new one is begun, and the last two are kept
    /// as `FILE.1` and `FILE.2`. Unset, the services of an `up` write to `logs` in the state folder, for `marketplace logs`.
    pub log_file: Option<PathBuf>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // librdkafka warns of a broker that has just started, its binding reports the end of a partition as an
            // error, and the span exporter each failed call: our own code tells what matters of them.
            log_filter: "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,\
                         librdkafka=error,rdkafka::client=off,\
                         opentelemetry=off,opentelemetry_sdk=off,opentelemetry-otlp=off"
                .into(),
            log_format: LogFormat::Text,
            otlp_endpoint: String::new(),
            trace_sample_ratio: 1.0,
            recent_bytes: None,
            log_file: None,
        }
    }
}

/// A setting of `telemetry` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter's text is wrong.
    #[error("telemetry.log_filter cannot be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The share is not between 0 and 1.
    #[error("telemetry.trace_sample_ratio is {0}: it must be from 0 to 1")]
    Ratio(f64),
    /// The collector's address is wrong.
    #[error("telemetry.otlp_endpoint cannot be used: {0}")]
    Endpoint(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The file for log lines cannot be written.
    #[error("telemetry.log_file {} cannot be written: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The telemetry of a process; [`Telemetry::shut_down`] sends the last spans.
#[derive(Debug, Clone, Default)]
pub struct Telemetry(Option<Arc<export::Export>>);

impl Telemetry {
    /// Sends the spans that wait, for at most two seconds.
    pub async fn shut_down(self) {
        if let Some(export) = self.0 {
            let flushed = tokio::task::spawn_blocking(move || export.shut_down());
            // A flush that panics costs spans, and the process ends anyway.
            drop(flushed.await);
        }
    }
}

/// Starts logging to standard error, and traces where a collector is set. A second call in one process changes nothing.
///
/// # Errors
/// [`Error`] names the setting that cannot be used.
pub fn init(config: &Config, service: &'static str) -> Result<Telemetry, Error> {
    let filter = EnvFilter::builder().parse(&config.log_filter)?;
    if !(0.0..=1.0).contains(&config.trace_sample_ratio) {
        return Err(Error::Ratio(config.trace_sample_ratio));
    }
    if let Some(path) = &config.log_file {
        log_to(path)?;
    }
    let bytes = config.recent_bytes.filter(|bytes| *bytes > 0);
    let kept = bytes.map(|bytes| &recent::keep(bytes).traces);
    let endpoint = Some(config.otlp_endpoint.trim()).filter(|it| !it.is_empty());
    let export = if endpoint.is_some() || kept.is_some() {
        let ratio = config.trace_sample_ratio;
        let export = export::Export::new(endpoint, kept, ratio, service)?;
        Some(Arc::new(export))
    } else {
        None
    };
    let spans = export.as_ref().map(|export| {
        tracing_opentelemetry::layer()
            .with_tracer(export.tracer())
            .with_location(false)
            .with_threads(false)
            // Whoever looks at what is kept is told by it which service of this process a span is of.
            .with_target(kept.is_some())
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(traced(endpoint.is_some()))
    });
    let format = config.log_format;
    let registry = tracing_subscriber::registry();
    // Filters of their own are for two kinds of reader; one reader has the filter of all.
    let started = match spans {
        Some(spans) => registry
            .with(spans)
            .with(
                log::Traces
                    .and_then(lines(format))
                    .with_filter(filter.and(without_wire())),
            )
            .try_init(),
        None => registry
            .with(filter)
            .with(without_wire())
            .with(log::Traces)
            .with(lines(format))
            .try_init(),
    };
    export::announce();
    BUILD.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    if started.is_ok() {
        tracing::debug!(service, "logging started");
    }
    Ok(Telemetry(export))
}

/// Writes the log lines to a file as well, as `telemetry.log_file` says; the first file of a process counts.
///
/// # Errors
/// [`Error::File`].
pub fn log_to(path: &Path) -> Result<(), Error> {
    file::open(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

/// Whether a terminal may be sent colours. Source: <https://no-color.org>; a dumb terminal has none.
fn takes_colours(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && variable("TERM").is_none_or(|term| term != "dumb")
}

#[expect(
    clippy::disallowed_methods,
    reason = "what every program on a terminal asks, and no setting of this one"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Log lines on standard error.
fn lines<S>(format: LogFormat) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && takes_colours(variable))
        .fmt_fields(log::NoFields)
        .event_format(log::Line::new(format))
}

/// Libraries that write what goes over a connection, tokens with it, at levels below `info`.
const WIRE: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tokio_tungstenite",
    "tonic",
    "tungstenite",
];

/// Leaves out what those libraries say below `info`, whatever `telemetry.log_filter` says: a log must hold no token.
fn without_wire() -> FilterFn {
    FilterFn::new(|metadata| {
        let krate = metadata.target().split("::").next().unwrap_or_default();
        *metadata.level() <= tracing::Level::INFO || !WIRE.contains(&krate)
    })
}

/// Our crates' spans, and, for a collector, what is logged within them.
///
/// A layer's filter leaves its verdict with the thread until a span or an event takes it; a client library that only
/// asks whether a level is enabled leaves one behind, and the next span of a call site that is known to be enabled
/// would take that. So no call site is ever "known": each span asks anew.
fn traced<S>(events: bool) -> impl Filter<S> {
    let wants = move |metadata: &Metadata<'_>| {
        let krate = metadata.target().split("::").next().unwrap_or_default();
        let is_wanted = events || metadata.is_span();
        is_wanted && *metadata.level() <= tracing::Level::DEBUG && TRACED.contains(&krate)
    };
    dynamic_filter_fn(move |metadata, _| wants(metadata))
        .with_callsite_filter(move |metadata| {
            if wants(metadata) {
                Interest::sometimes()
            } else {
                Interest::never()
            }
        })
        .with_max_level_hint(LevelFilter::DEBUG)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span;
    use tracing_subscriber::{layer::Context, registry};

    use super::*;

    #[test]
    fn colours_go_to_terminals_that_want_them() {
        let takes = |name: &'static str, value: &'static str| {
            takes_colours(move |asked| (asked == name).then(|| value.into()))
        };
        assert!(takes("TERM", "xterm-256color"));
        assert!(!takes("TERM", "dumb"));
        assert!(!takes("NO_COLOR", "1"));
        assert!(takes("NO_COLOR", ""), "empty is as if it were not there");
    }

    #[derive(Clone, Default)]
    struct Names(Arc<Mutex<Vec<&'static str>>>);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Names {
        fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
            self.0.lock().unwrap().push(span.metadata().name());
        }
    }

    #[test]
    fn a_wrong_setting_is_refused_by_its_name() {
        let refused = |config: Config| init(&config, "test").unwrap_err().to_string();
        let filter = Config {
            log_filter: "loms=loud".into(),
            ..Config::default()
        };
        assert!(refused(filter).starts_with("telemetry.log_filter"));
        let ratio = Config {
            trace_sample_ratio: 1.5,
            ..Config::default()
        };
        assert!(refused(ratio).starts_with("telemetry.trace_sample_ratio"));
        let endpoint = Config {
            otlp_endpoint: "no address".into(),
            ..Config::default()
        };
        assert!(refused(endpoint).starts_with("telemetry.otlp_endpoint"));
    }

    /// Fails without the filter, and with a module's path taken for a crate.
    #[test]
    fn what_goes_over_a_connection_is_in_no_log_at_any_level() {
        let lines = Lines::default();
        let wire = EnvFilter::new("trace,tungstenite::protocol=trace,h2=trace");
        let one = registry()
            .with(wire)
            .with(without_wire())
            .with(lines.clone());
        tracing::subscriber::with_default(one, speak);
        let wire = EnvFilter::new("trace,tungstenite::protocol=trace,h2=trace");
        let two = registry()
            .with(Names::default().with_filter(traced(true)))
            .with(lines.clone().with_filter(wire.and(without_wire())));
        tracing::subscriber::with_default(two, speak);
        let heard = lines.0.lock().unwrap();
        let targets = ["tungstenite::protocol", "loms::order", "h2x"];
        assert_eq!(*heard, [targets, targets].concat());
    }

    #[expect(clippy::cognitive_complexity, reason = "each macro counts")]
    fn speak() {
        tracing::trace!(target: "tungstenite::protocol", "Bearer marker");
        tracing::debug!(target: "h2::codec", "Bearer marker");
        tracing::debug!(target: "hyper", "Bearer marker");
        tracing::info!(target: "tungstenite::protocol", "closed");
        tracing::trace!(target: "loms::order", "read");
        tracing::trace!(target: "h2x", "another crate");
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<&'static str>>>);

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().target());
        }
    }

    /// Seen red with `Targets` as the filter.
    #[test]
    fn a_library_that_asks_for_a_level_costs_no_span() {
        let names = Names::default();
        let lines = Names::default().with_filter(EnvFilter::new("info"));
        let subscriber = registry()
            .with(names.clone().with_filter(traced(true)))
            .with(lines);
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..3 {
                // What librdkafka's binding does when a client is made.
                let _asked = tracing::enabled!(target: "librdkafka", tracing::Level::DEBUG);
                drop(tracing::info_span!("request"));
            }
        });
        assert_eq!(*names.0.lock().unwrap(), ["request"; 3]);
    }
}
