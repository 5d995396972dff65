//! Trace context across processes, as W3C Trace Context writes it.
//!
//! A server or consumer opens its span, lets it [`follow`] the caller's `traceparent`, and hands [`traceparent`] of the
//! span to whatever it calls. Where traces are not recorded (no collector is set), there is no context of our own, and
//! the caller's is passed on as it came: so a trace never breaks at a process that does not record.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt as _, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The field of an entry span that logs show; declare it as `tracing::field::Empty`.
pub const TRACE_ID: &str = "trace_id";

/// Makes a new span a child of the caller's and names its trace in the log. Call it before the span is entered.
///
/// `traceparent` is the header as it came; one that breaks the form counts as absent.
#[must_use]
pub fn follow(span: Span, traceparent: Option<&str>) -> Span {
    if let Some(known) = join(&span, traceparent) {
        span.record(TRACE_ID, known.trace_id().to_string());
    }
    span
}

/// Makes a new span a child of the caller's; gives its own context, or else the caller's.
fn join(span: &Span, traceparent: Option<&str>) -> Option<SpanContext> {
    let caller = traceparent.and_then(parse);
    if let Some(caller) = &caller {
        // Refused only where no layer records traces, and then nothing is lost.
        drop(span.set_parent(Context::new().with_remote_span_context(caller.clone())));
    }
    context(span).or(caller)
}

/// Like [`follow`], with the header for what the span calls: its own, else the caller's, else one that begins a trace.
#[must_use]
pub fn begin(span: Span, caller: Option<&str>) -> (Span, String) {
    let known = join(&span, caller).unwrap_or_else(fresh_context);
    span.record(TRACE_ID, known.trace_id().to_string());
    (span, header(&known))
}

/// Refers a span to another trace that it belongs to as well.
pub fn link(span: &Span, traceparent: Option<&str>) {
    if let Some(other) = traceparent.and_then(parse) {
        span.add_link(other);
    }
}

/// The header for what this span calls; `None` where traces are not recorded.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    context(span).map(|own| header(&own))
}

/// The header for what the current span calls, or else the caller's own.
#[must_use]
pub fn current_or(traceparent: Option<&str>) -> Option<String> {
    self::traceparent(&Span::current()).or_else(|| traceparent.map(str::to_owned))
}

/// The id of the span's trace, if the trace is sampled: what an exemplar refers to.
#[must_use]
pub fn sampled_trace_id(span: &Span) -> Option<String> {
    let own = context(span).filter(SpanContext::is_sampled)?;
    Some(own.trace_id().to_string())
}

/// The trace id in a `traceparent`.
#[must_use]
pub fn trace_id(traceparent: &str) -> Option<String> {
    parse(traceparent).map(|context| context.trace_id().to_string())
}

/// Begins a trace that nobody records here, so that what it calls can be found in their logs.
#[must_use]
pub fn fresh() -> String {
    header(&fresh_context())
}

fn fresh_context() -> SpanContext {
    // Not by the system's source of randomness, which is a system call each and only secrets need.
    let (trace, span): (u128, u64) = rand::random();
    SpanContext::new(
        // Zero is no id.
        TraceId::from(trace.max(1)),
        SpanId::from(span.max(1)),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    )
}

fn context(span: &Span) -> Option<SpanContext> {
    let context = span.context().span().span_context().clone();
    context.is_valid().then_some(context)
}

fn header(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags()
    )
}

/// Source: W3C Trace Context, 3.2 (version 00).
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let [version, trace, span, flags] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    if parts.next().is_some() {
        return None;
    }
    let is_hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if version != "00" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_reading_and_writing() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(header(&parse(given).unwrap()), given);
        assert_eq!(
            trace_id(given).as_deref(),
            Some("0af7651916cd43dd8448eb211c80319c")
        );
        assert!(parse(&fresh()).is_some_and(|context| context.is_sampled()));
    }

    #[test]
    fn a_header_that_breaks_the_form_counts_as_absent() {
        for bad in [
            "",
            "00-xyz",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-00",
        ] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn without_a_collector_the_callers_header_is_passed_on() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let span = follow(tracing::info_span!("request"), Some(given));
        let _entered = span.enter();
        assert_eq!(traceparent(&span), None);
        assert_eq!(current_or(Some(given)).as_deref(), Some(given));
    }
}
