//! A span as it is kept, and as it is shown.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use serde::{Deserialize, Serialize};

/// The attributes that are kept. Source: docs/telemetry.md, "Spans".
const ATTRIBUTES: &[&str] = &[
    "cursor",
    "db.operation",
    "db.sql.table",
    "db.statement",
    "db.status",
    "db.system",
    "graphql.errors",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "order.id",
    "requests",
    "rpc.grpc.status_code",
    "rpc.system",
    "subgraph",
    TARGET,
    "version",
];
/// The attribute with the module that opened the span.
pub(super) const TARGET: &str = "target";
/// The longest value of an attribute, in bytes.
const LONGEST: usize = 512;
/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Its trace, 32 hexadecimal digits.
    pub trace_id: String,
    /// Its id, 16 hexadecimal digits.
    pub span_id: String,
    /// The span that caused it.
    pub parent_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it is a server's or a consumer's: it stands for work that another process asked for.
    pub is_entry: bool,
    /// The module that opened it.
    pub target: String,
    /// When it began, in microseconds since 1970.
    pub start_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Whether it failed.
    pub error: bool,
    /// What is kept of its attributes.
    pub attributes: Vec<(String, String)>,
}

/// A span as it is kept: nothing of it is copied when it ends.
#[derive(Debug)]
pub(super) struct Record {
    /// Grows by one from span to span of a process.
    pub(super) number: u64,
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) name: Cow<'static, str>,
    pub(super) is_entry: bool,
    pub(super) start: SystemTime,
    pub(super) duration: Duration,
    pub(super) error: bool,
    pub(super) attributes: Vec<KeyValue>,
}

impl Record {
    pub(super) fn of(span: SpanData) -> Self {
        let mut attributes = span.attributes;
        attributes.retain(|it| ATTRIBUTES.contains(&it.key.as_str()));
        Self {
            number: 0,
            id: u64::from_be_bytes(span.span_context.span_id().to_bytes()),
            parent: u64::from_be_bytes(span.parent_span_id.to_bytes()),
            name: span.name,
            is_entry: matches!(span.span_kind, SpanKind::Server | SpanKind::Consumer),
            start: span.start_time,
            duration: span
                .end_time
                .duration_since(span.start_time)
                .unwrap_or_default(),
            error: matches!(span.status, Status::Error { .. }),
            attributes,
        }
    }

    pub(super) fn adopted(span: Span) -> Self {
        let id = |text: &str| u64::from_str_radix(text, 16).unwrap_or_default();
        let target = KeyValue::new(TARGET, span.target);
        let attributes = span.attributes.into_iter();
        let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
        Self {
            number: 0,
            id: id(&span.span_id),
            parent: span.parent_id.as_deref().map_or(0, id),
            name: span.name.into(),
            is_entry: span.is_entry,
            start: UNIX_EPOCH + Duration::from_micros(span.start_us),
            duration: Duration::from_micros(span.duration_us),
            error: span.error,
            attributes: attributes.chain([target]).collect(),
        }
    }

    /// Roughly what it takes of the memory.
    pub(super) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|it| {
            let text = match &it.value {
                opentelemetry::Value::String(text) => text.as_str().len(),
                _ => 0,
            };
            size_of::<KeyValue>() + text
        });
        size_of::<Self>() + self.name.len() + attributes.sum::<usize>()
    }

    pub(super) fn shown(&self, trace: u128) -> Span {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let mut target = String::new();
        let mut attributes = Vec::with_capacity(self.attributes.len());
        for KeyValue { key, value, .. } in &self.attributes {
            if key.as_str() == TARGET {
                target = value.as_str().into_owned();
            } else {
                attributes.push((key.as_str().to_owned(), cut(&value.as_str())));
            }
        }
        Span {
            trace_id: format!("{trace:032x}"),
            span_id: format!("{:016x}", self.id),
            parent_id: (self.parent != 0).then(|| format!("{:016x}", self.parent)),
            name: self.name.clone().into_owned(),
            is_entry: self.is_entry,
            target,
            start_us: micros(self.start.duration_since(UNIX_EPOCH).unwrap_or_default()),
            duration_us: micros(self.duration),
            error: self.error,
            attributes,
        }
    }
}

/// The text, or its beginning where it is too long.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST);
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_span_only_listed_attributes_are_kept_and_no_long_text() {
        use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
        let context = SpanContext::new(
            TraceId::from(0xabc_u128),
            SpanId::from(1_u64),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        let record = Record::of(SpanData {
            span_context: context,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Server,
            name: "GET product".into(),
            start_time: UNIX_EPOCH,
            end_time: UNIX_EPOCH + Duration::from_micros(5),
            attributes: vec![
                KeyValue::new("authorization", "Bearer secret"),
                KeyValue::new("order.id", 17_i64),
                KeyValue::new("db.statement", "ä".repeat(1_000)),
            ],
            dropped_attributes_count: 0,
            events: opentelemetry_sdk::trace::SpanEvents::default(),
            links: opentelemetry_sdk::trace::SpanLinks::default(),
            status: Status::error("text"),
            instrumentation_scope: opentelemetry::InstrumentationScope::default(),
        });
        let span = record.shown(0xabc);
        assert_eq!(span.attributes[0], ("order.id".to_owned(), "17".to_owned()));
        assert_eq!(span.attributes[1].1.len(), LONGEST);
        assert_eq!(
            (span.attributes.len(), span.error, span.duration_us),
            (2, true, 5)
        );
        assert!(!format!("{span:?}").contains("secret"));
    }
}
