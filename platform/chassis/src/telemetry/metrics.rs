//! Metrics of this process: Prometheus' default registry, and latencies whose buckets remember a trace.
//!
//! Metrics are statics, so that a test may start a service twice. A scraper that takes OpenMetrics gets exemplars: for
//! each bucket the last sampled trace that fell into it. Source: OpenMetrics 1.0, "Exemplars".

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::{LazyLock, Mutex, PoisonError},
};

use prometheus::{HistogramOpts, HistogramVec, TextEncoder, register_histogram_vec};
use tracing::Span;

use super::trace;

/// Content types of the two forms.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds, for what answers within a request.
pub const REQUEST_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Exemplars by the start of their sample's line, `name_bucket{label="value",le="0.5"}`.
static EXEMPLARS: LazyLock<Mutex<HashMap<String, Exemplar>>> = LazyLock::new(Mutex::default);

struct Exemplar {
    trace_id: String,
    value: f64,
    at_seconds: f64,
}

/// A histogram of seconds whose buckets remember a trace.
#[derive(Debug)]
pub struct Latency {
    name: &'static str,
    labels: &'static [&'static str],
    bounds: Vec<f64>,
    histogram: HistogramVec,
}

impl Latency {
    /// Registers the histogram; `bounds` are upper bounds in seconds, ascending.
    ///
    /// # Panics
    /// When the name is taken: a metric is a static.
    #[must_use]
    pub fn register(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        bounds: &[f64],
    ) -> Self {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        let histogram =
            register_histogram_vec!(options, labels).expect("the name is registered once");
        Self {
            name,
            labels,
            bounds: bounds.to_vec(),
            histogram,
        }
    }

    /// Counts a duration that belongs to the current span's trace. `values` are the labels' values in their order.
    pub fn observe(&self, values: &[&str], seconds: f64) {
        self.observe_in(&Span::current(), values, seconds);
    }

    /// Counts a duration that belongs to `span`'s trace.
    pub fn observe_in(&self, span: &Span, values: &[&str], seconds: f64) {
        self.histogram.with_label_values(values).observe(seconds);
        if let Some(trace_id) = trace::sampled_trace_id(span) {
            let exemplar = Exemplar {
                trace_id,
                value: seconds,
                at_seconds: now_seconds(),
            };
            lock().insert(self.bucket(values, seconds), exemplar);
        }
    }

    /// Shows the series before anything was counted.
    pub fn announce(&self, values: &[&str]) {
        drop(self.histogram.get_metric_with_label_values(values));
    }

    /// The start of the line of the bucket that `seconds` falls into; labels by name, as the encoder sorts them.
    fn bucket(&self, values: &[&str], seconds: f64) -> String {
        let bound = self.bounds.iter().find(|bound| seconds <= **bound);
        let bound = bound.map_or_else(|| "+Inf".to_owned(), f64::to_string);
        let labels: BTreeMap<_, _> = self.labels.iter().zip(values).collect();
        let mut line = format!("{}_bucket{{", self.name);
        for (label, value) in labels {
            write!(line, "{label}={value:?},").expect("a string takes every text");
        }
        line + &format!("le=\"{bound}\"}}")
    }
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<String, Exemplar>> {
    EXEMPLARS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_seconds() -> f64 {
    let now = crate::clock::Clock::system().now();
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit 52 bits"
    )]
    let millis = now.timestamp_millis() as f64;
    millis / 1_000.0
}

/// All metrics of this process in Prometheus' text form.
#[must_use]
pub fn metrics_text() -> String {
    TextEncoder::new()
        .encode_to_string(&prometheus::gather())
        .unwrap_or_default()
}

/// All metrics in the form that `accept` asks for, with its content type.
#[must_use]
pub fn exposition(accept: Option<&str>) -> (&'static str, String) {
    if accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
        (OPEN_METRICS, open_metrics(&metrics_text(), &lock()))
    } else {
        (TEXT, metrics_text())
    }
}

/// `GET /metrics`, for every process, and `/debug/recent` for services.
pub fn routes() -> axum::Router {
    axum::Router::new()
        .route("/metrics", axum::routing::get(serve))
        .merge(super::recent::routes())
}

async fn serve(headers: http::HeaderMap) -> ([(http::HeaderName, &'static str); 1], String) {
    let accept = headers.get(http::header::ACCEPT);
    let (media, text) = exposition(accept.and_then(|value| value.to_str().ok()));
    ([(http::header::CONTENT_TYPE, media)], text)
}

/// Turns the text form into OpenMetrics: counters' families lose `_total`, buckets get their exemplars.
fn open_metrics(text: &str, exemplars: &HashMap<String, Exemplar>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let is_counter = lines.peek().is_some_and(|next| next.ends_with(" counter"));
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            let name = if is_counter { family(name) } else { name };
            out.push_str(&format!("# HELP {name} {help}\n"));
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap_or((kind, "unknown"));
            let name = if kind == "counter" {
                family(name)
            } else {
                name
            };
            out.push_str(&format!("# TYPE {name} {kind}\n"));
        } else {
            out.push_str(line);
            let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
            if let Some(exemplar) = exemplars.get(series) {
                let Exemplar {
                    trace_id,
                    value,
                    at_seconds,
                } = exemplar;
                let exemplar = format!(" # {{trace_id=\"{trace_id}\"}} {value} {at_seconds:.3}");
                out.push_str(&exemplar);
            }
            out.push('\n');
        }
    }
    out.push_str("# EOF\n");
    out
}

fn family(counter: &str) -> &str {
    counter.strip_suffix("_total").unwrap_or(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_names_the_counters_family_and_the_buckets_trace() {
        let text = "# HELP shop_sold_total Sold.\n# TYPE shop_sold_total counter\nshop_sold_total 3\n\
            # HELP shop_seconds Time.\n# TYPE shop_seconds histogram\n\
            shop_seconds_bucket{route=\"/a\",le=\"0.5\"} 1\nshop_seconds_bucket{route=\"/a\",le=\"+Inf\"} 2\n";
        let exemplar = Exemplar {
            trace_id: "0af7".into(),
            value: 0.25,
            at_seconds: 12.5,
        };
        let series = "shop_seconds_bucket{route=\"/a\",le=\"0.5\"}".to_owned();
        let out = open_metrics(text, &HashMap::from([(series, exemplar)]));
        assert_eq!(
            out,
            "# HELP shop_sold Sold.\n# TYPE shop_sold counter\nshop_sold_total 3\n\
             # HELP shop_seconds Time.\n# TYPE shop_seconds histogram\n\
             shop_seconds_bucket{route=\"/a\",le=\"0.5\"} 1 # {trace_id=\"0af7\"} 0.25 12.500\n\
             shop_seconds_bucket{route=\"/a\",le=\"+Inf\"} 2\n# EOF\n"
        );
    }

    #[test]
    fn the_buckets_line_is_the_one_that_the_encoder_writes() {
        static PROBE: LazyLock<Latency> = LazyLock::new(|| {
            Latency::register(
                "chassis_probe_seconds",
                "A probe.",
                &["route", "method"],
                &[0.5, 1.0],
            )
        });
        let values = ["/orders/{id}", "GET"];
        PROBE.observe(&values, 0.7);
        PROBE.observe(&values, 7.0);
        let text = metrics_text();
        for seconds in [0.3, 0.7, 7.0] {
            let line = PROBE.bucket(&values, seconds);
            assert!(text.contains(&(line.clone() + " ")), "{line} in {text}");
        }
    }
}
