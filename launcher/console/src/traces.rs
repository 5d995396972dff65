//! The last traces: a list that can be searched, and one as the spans of a waterfall.

use chassis::telemetry::recent::{Span, recent};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::attribution;
use crate::refusal::Refusal;

/// Traces in one answer at most.
const MOST: usize = 200;

/// Which traces are wanted.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Wanted {
    limit: usize,
    service: String,
    min_ms: f64,
    errors: bool,
    /// The beginning of an id, a part of a span's name, an attribute's value, or `name=value`.
    q: String,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            limit: MOST,
            service: String::new(),
            min_ms: 0.0,
            errors: false,
            q: String::new(),
        }
    }
}

/// A trace in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    trace_id: String,
    name: String,
    service: String,
    services: Vec<String>,
    started_at: String,
    duration_ms: f64,
    spans: usize,
    error: bool,
    #[serde(skip)]
    start_us: u64,
}

/// A trace with its spans, in the order in which they began.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    trace_id: String,
    spans: Vec<ShownSpan>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSpan {
    span_id: String,
    parent_id: Option<String>,
    name: String,
    service: String,
    /// From the trace's begin.
    start_us: u64,
    duration_us: u64,
    error: bool,
    attributes: Map<String, Value>,
}

/// The traces that are wanted, the newest first.
///
/// # Errors
/// [`Refusal::Argument`] for a limit that is out of its bounds.
pub(crate) fn list(wanted: &Wanted) -> Result<Vec<Listed>, Refusal> {
    let limit = wanted.limit;
    if !(1..=MOST).contains(&limit) {
        let text = format!("limit is {limit}: it must be from 1 to {MOST}");
        return Err(Refusal::Argument(text));
    }
    let mut found = Vec::new();
    if let Some(recent) = recent() {
        recent
            .traces
            .each(|spans| found.extend(wanted.listed(spans)));
    }
    found.sort_unstable_by_key(|it| std::cmp::Reverse(it.start_us));
    found.truncate(limit);
    Ok(found)
}

/// One trace.
///
/// # Errors
/// [`Refusal::NotFound`] when it is not, or no longer, here.
pub(crate) fn show(trace_id: &str) -> Result<Shown, Refusal> {
    let found = recent().and_then(|recent| recent.traces.find(trace_id));
    let gone = || {
        let text = "no such trace is kept: the memory for them is bounded (telemetry.recent_bytes), and the oldest go \
                    first, but for failed and slow ones";
        Refusal::NotFound(text.to_owned())
    };
    let mut spans = found.ok_or_else(gone)?;
    spans.sort_by_key(|span| span.start_us);
    let services = attribution::of_spans(&spans);
    let begin = spans.first().map_or(0, |span| span.start_us);
    let spans = spans.into_iter().zip(services);
    Ok(Shown {
        trace_id: trace_id.to_owned(),
        spans: spans
            .map(|(span, service)| shown(span, service, begin))
            .collect(),
    })
}

fn shown(span: Span, service: String, begin: u64) -> ShownSpan {
    let attributes = span.attributes.into_iter();
    ShownSpan {
        span_id: span.span_id,
        parent_id: span.parent_id,
        name: span.name,
        service,
        start_us: span.start_us - begin,
        duration_us: span.duration_us,
        error: span.error,
        attributes: attributes
            .map(|(name, value)| (name, value.into()))
            .collect(),
    }
}

impl Wanted {
    /// The trace as a list shows it, if it is wanted.
    fn listed(&self, spans: &[Span]) -> Option<Listed> {
        let begin = spans.iter().map(|it| it.start_us).min()?;
        let end = spans.iter().map(|it| it.start_us + it.duration_us).max()?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "nobody looks at a trace for 2^53 microseconds"
        )]
        let duration_ms = (end - begin) as f64 / 1e3;
        let error = spans.iter().any(|it| it.error);
        let is_wanted = duration_ms >= self.min_ms && (error || !self.errors);
        if !is_wanted || !self.is_found_in(spans) {
            return None;
        }
        let of_each = attribution::of_spans(spans);
        let root = root(spans);
        let service = of_each[root].clone();
        let mut services = of_each;
        services.sort_unstable();
        services.dedup();
        if !self.service.is_empty() && !services.contains(&self.service) {
            return None;
        }
        let micros = i64::try_from(begin).ok()?;
        let started = DateTime::from_timestamp_micros(micros)?;
        Some(Listed {
            trace_id: spans[root].trace_id.clone(),
            name: spans[root].name.clone(),
            service,
            services,
            started_at: started.to_rfc3339_opts(SecondsFormat::Millis, true),
            duration_ms,
            spans: spans.len(),
            error,
            start_us: begin,
        })
    }

    fn is_found_in(&self, spans: &[Span]) -> bool {
        let q = self.q.trim();
        if q.is_empty() {
            return true;
        }
        let pair = q.split_once('=');
        let lower = q.to_lowercase();
        spans.iter().any(|span| {
            span.trace_id.starts_with(&lower)
                || span.name.to_lowercase().contains(&lower)
                || span.attributes.iter().any(|(name, value)| {
                    value == q || pair == Some((name.as_str(), value.as_str()))
                })
        })
    }
}

/// The span that no other of the trace has caused; the first one of several.
fn root(spans: &[Span]) -> usize {
    let is_here = |id: &String| spans.iter().any(|it| it.span_id == *id);
    let roots = spans.iter().enumerate();
    let roots = roots.filter(|(_, it)| it.parent_id.as_ref().is_none_or(|id| !is_here(id)));
    let first = roots.min_by_key(|(_, it)| it.start_us);
    first.map_or(0, |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Vec<Span> {
        let span = |id: &str, parent: Option<&str>, name: &str, target: &str, start_us: u64| Span {
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            span_id: id.to_owned(),
            parent_id: parent.map(str::to_owned),
            name: name.to_owned(),
            is_entry: false,
            target: target.to_owned(),
            start_us,
            duration_us: 500,
            error: id == "2",
            attributes: vec![("order.id".to_owned(), format!("1{id}"))],
        };
        vec![
            // As they end: the innermost first. The root's own parent is a client elsewhere.
            span("3", Some("2"), "sea_orm.execute", "sea_orm", 1_002_000),
            span("2", Some("1"), "group", "loms::order", 1_001_000),
            span("1", Some("9"), "fetch loms", "federation", 1_000_000),
        ]
    }

    fn finds(wanted: &Wanted) -> bool {
        wanted.listed(&trace()).is_some()
    }

    fn wanted(q: &str) -> Wanted {
        Wanted {
            q: q.to_owned(),
            ..Wanted::default()
        }
    }

    #[test]
    fn a_trace_is_named_by_the_span_that_began_it() {
        let listed = Wanted::default().listed(&trace()).unwrap();
        assert_eq!(
            (listed.name.as_str(), listed.service.as_str()),
            ("fetch loms", "router")
        );
        assert_eq!(
            (listed.services, listed.duration_ms),
            (vec!["loms".into(), "router".into()], 2.5)
        );
        assert_eq!(listed.started_at, "1970-01-01T00:00:01.000Z");
        assert!(listed.error);
    }

    #[test]
    fn a_trace_is_found_by_id_name_and_attribute_and_by_no_part_of_a_number() {
        for q in [
            "0af7",
            "0AF765",
            "GROUP",
            "order.id=12",
            "12",
            "13",
            " sea_orm ",
        ] {
            assert!(finds(&wanted(q)), "{q}");
        }
        for q in ["af7", "order.id=1", "order.id", "1", "version=12"] {
            assert!(!finds(&wanted(q)), "{q}");
        }
        let of = |service: &str, min_ms: f64| {
            finds(&Wanted {
                service: service.to_owned(),
                min_ms,
                errors: true,
                ..Wanted::default()
            })
        };
        assert!(of("loms", 2.5) && of("router", 0.0));
        assert!(!of("cart", 0.0) && !of("loms", 2.6));
    }

    #[test]
    fn a_limit_has_bounds_and_a_trace_that_is_not_here_says_why() {
        let list = |limit| {
            list(&Wanted {
                limit,
                ..Wanted::default()
            })
        };
        assert!(list(1).is_ok() && list(200).is_ok());
        for bad in [0, 201] {
            assert!(list(bad).unwrap_err().to_string().contains("from 1 to 200"));
        }
        assert!(
            show("0af7")
                .unwrap_err()
                .to_string()
                .contains("telemetry.recent_bytes")
        );
    }
}
