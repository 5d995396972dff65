//! How a log line looks: text for people, one JSON object for machines. Both name the trace.
//!
//! A line shows its own fields and the trace it belongs to, not the fields of the spans around it: those are in the
//! trace itself. `repeated` is the number of lines of the same kind that were left out before it.

use std::{fmt, time::Instant};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    layer::Context,
    registry::LookupSpan,
};

use super::{LogFormat, file, recent, sample::Sampler, trace::TRACE_ID};

/// Remembers the trace of each entry span.
pub(super) struct Traces;

/// The trace that a span stands for.
struct TraceOf(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let mut found = FoundTrace(None);
        attributes.record(&mut found);
        found.remember(id, &ctx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let mut found = FoundTrace(None);
        values.record(&mut found);
        found.remember(id, &ctx);
    }
}

struct FoundTrace(Option<String>);

impl FoundTrace {
    fn remember<S: Subscriber + for<'a> LookupSpan<'a>>(self, id: &Id, ctx: &Context<'_, S>) {
        if let (Some(trace), Some(span)) = (self.0, ctx.span(id)) {
            span.extensions_mut().replace(TraceOf(trace));
        }
    }
}

impl Visit for FoundTrace {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == TRACE_ID {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Writes nothing of a span's fields: no line shows them, and most spans end without one.
pub(super) struct NoFields;

impl<'w> FormatFields<'w> for NoFields {
    fn format_fields<R: RecordFields>(&self, _: Writer<'w>, _: R) -> fmt::Result {
        Ok(())
    }

    fn add_fields(&self, _: &'w mut FormattedFields<Self>, _: &Record<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Writes one line an event, but for those that repeat.
pub(super) struct Line {
    format: LogFormat,
    sampler: Sampler,
}

impl Line {
    pub(super) fn new(format: LogFormat) -> Self {
        let sampler = Sampler::new();
        Self { format, sampler }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let admitted = (self.sampler).admit(event.metadata(), &fields.0, Instant::now());
        let Some(left_out) = admitted else {
            return Ok(());
        };
        if left_out > 0 {
            fields.add_missing("repeated", left_out.into());
        }
        if let Some(trace) = trace_of(ctx) {
            fields.add_missing(TRACE_ID, Value::String(trace));
        }
        let line = Written::of(event, fields);
        line.keep();
        match self.format {
            LogFormat::Text => line.text(writer),
            LogFormat::Json => line.json(writer),
        }
    }
}

/// The nearest entry span's trace.
fn trace_of<S, N>(ctx: &FmtContext<'_, S, N>) -> Option<String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    ctx.event_scope()?.find_map(|span| {
        span.extensions()
            .get::<TraceOf>()
            .map(|trace| trace.0.clone())
    })
}

/// A line as it is written: its own fields are those that have no place of their own.
struct Written {
    moment: DateTime<Utc>,
    level: Level,
    target: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Written {
    fn of(event: &Event<'_>, mut fields: Fields) -> Self {
        Self {
            moment: crate::clock::Clock::system().now(),
            level: *event.metadata().level(),
            target: fields.target(event),
            message: fields.take("message").unwrap_or_default(),
            fields: fields.0,
        }
    }

    /// Puts it where this process keeps lines, and into its file.
    fn keep(&self) {
        if let Some(file) = file::get() {
            let mut line = String::new();
            if self.json(Writer::new(&mut line)).is_ok() {
                file.write(&line);
            }
        }
        let Some(kept) = recent::recent() else {
            return;
        };
        let is_trace = |name: &str| name == TRACE_ID;
        let trace = self.fields.iter().find(|(name, _)| is_trace(name));
        let others = self.fields.iter().filter(|(name, _)| !is_trace(name));
        kept.lines.add(recent::Line {
            seq: 0,
            moment: self.moment,
            level: self.level.as_str().to_ascii_lowercase(),
            service: String::new(),
            target: self.target.clone(),
            message: self.message.clone(),
            trace_id: trace.and_then(|(_, id)| Some(id.as_str()?.to_owned())),
            fields: others
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        });
    }

    fn text(self, mut writer: Writer<'_>) -> fmt::Result {
        let (on, off) = if writer.has_ansi_escapes() {
            (colour(self.level), "\u{1b}[0m")
        } else {
            ("", "")
        };
        let (moment, level) = (timestamp(self.moment), self.level);
        let (target, message) = (self.target, self.message);
        write!(writer, "{moment} {on}{level:>5}{off} {target}: {message}",)?;
        for (name, value) in self.fields {
            match value {
                Value::String(text) if text.contains([' ', '"']) => {
                    write!(writer, " {name}={text:?}")?;
                }
                Value::String(text) => write!(writer, " {name}={text}")?,
                other => write!(writer, " {name}={other}")?,
            }
        }
        writer.write_char('\n')
    }

    fn json(&self, mut writer: Writer<'_>) -> fmt::Result {
        let mut line = Map::new();
        line.insert("timestamp".into(), timestamp(self.moment).into());
        line.insert("level".into(), self.level.to_string().into());
        line.insert("target".into(), self.target.clone().into());
        line.insert("message".into(), self.message.clone().into());
        let fields = self.fields.iter();
        line.extend(fields.map(|(name, value)| ((*name).to_owned(), value.clone())));
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn timestamp(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

fn colour(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::ERROR => "\u{1b}[31m",
        tracing::Level::WARN => "\u{1b}[33m",
        tracing::Level::INFO => "\u{1b}[32m",
        tracing::Level::DEBUG | tracing::Level::TRACE => "\u{1b}[2m",
    }
}

/// An event's fields, in their order.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }

    fn add_missing(&mut self, name: &'static str, value: Value) {
        if self.0.iter().all(|(known, _)| *known != name) {
            self.0.push((name, value));
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        match self.0.remove(at).1 {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// The event's target; a line of the crate `log` brings its own as a field.
    fn target(&mut self, event: &Event<'_>) -> String {
        let foreign = self.take("log.target");
        self.0.retain(|(name, _)| !name.starts_with("log."));
        foreign.unwrap_or_else(|| event.metadata().target().to_owned())
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, crate::fault::chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{layer::SubscriberExt as _, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, act: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .fmt_fields(NoFields)
            .event_format(Line::new(format));
        tracing::subscriber::with_default(registry().with(Traces).with(lines), act);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn one_line() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let span = tracing::info_span!("request", trace_id = tracing::field::Empty);
        let span = crate::telemetry::trace::follow(span, Some(given));
        span.in_scope(|| tracing::warn!(order.id = 7, reason = "it \"broke\"", "order 7 failed"));
    }

    #[test]
    fn a_json_line_has_its_fields_and_the_trace_at_the_top() {
        let line: Value = serde_json::from_str(&written(LogFormat::Json, one_line)).unwrap();
        assert_eq!(line["message"], "order 7 failed");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["order.id"], 7);
        assert_eq!(line["reason"], "it \"broke\"");
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    }

    /// Fails with `admit` always giving `Some(0)`.
    #[test]
    fn a_warning_that_repeats_is_counted_and_what_was_done_is_not() {
        let text = written(LogFormat::Text, || {
            for subgraph in ["loms", "cart"] {
                for _ in 0..100 {
                    tracing::warn!(subgraph, "a subgraph failed");
                    tracing::info!(subgraph, "an event was handled");
                }
            }
        });
        let lines = |words: &str| text.matches(words).count();
        assert_eq!(lines("an event was handled"), 200);
        for subgraph in ["loms", "cart"] {
            let written = lines(&format!("a subgraph failed subgraph={subgraph}"));
            // A slow machine may take a second over it.
            assert!((5..10).contains(&written), "{text}");
        }
    }

    #[test]
    fn a_text_line_names_the_trace_last() {
        let line = written(LogFormat::Text, one_line);
        assert!(
            line.ends_with(
                ": order 7 failed order.id=7 reason=\"it \\\"broke\\\"\" \
                 trace_id=0af7651916cd43dd8448eb211c80319c\n"
            ),
            "{line}"
        );
    }
}
