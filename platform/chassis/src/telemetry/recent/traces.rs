//! The last traces: all of them for a while; of the older ones those with an error, and the slowest.
//!
//! A trace has no end of its own, a consumer may add to it an hour later. So spans are kept by trace as they come, and a
//! trace that had to go stays gone: what comes of it later is not taken for a trace of its own.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_sdk::trace::SpanData;
use parking_lot::Mutex;

use super::span::{Record, Span};

/// Spans of one trace.
const SPANS: usize = 1_024;
/// Traces that have gone and are remembered for not to come again.
const GONE: usize = 4_096;
/// How long a slow trace counts as one of the slowest.
const SLOW_FOR: Duration = Duration::from_mins(15);

/// The last traces of a process.
#[derive(Debug)]
pub struct Traces {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    traces: HashMap<u128, Trace>,
    /// In the order in which they were begun to be kept.
    recent: Shelf,
    failed: Shelf,
    slow: Shelf,
    gone: VecDeque<u128>,
    is_gone: HashSet<u128>,
    /// The number of the next span.
    next: u64,
}

/// Traces that are kept for one reason, the oldest first.
#[derive(Debug, Default)]
struct Shelf {
    order: VecDeque<u128>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Recent,
    Failed,
    Slow,
}

#[derive(Debug)]
struct Trace {
    reason: Reason,
    spans: Vec<Record>,
    bytes: usize,
    failed: bool,
    longest: Duration,
    ended: SystemTime,
}

impl Traces {
    /// None yet, and never more than so many bytes: five eighths for all traces, two for failed ones, one for slow ones.
    #[must_use]
    pub fn of(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            kept: Mutex::default(),
        }
    }

    /// Takes a span that has ended.
    pub(in crate::telemetry) fn take(&self, span: SpanData) {
        let trace = u128::from_be_bytes(span.span_context.trace_id().to_bytes());
        let record = Record::of(span);
        self.add(trace, record);
    }

    /// Takes a span of another process.
    pub fn adopt(&self, span: Span) {
        let Ok(trace) = u128::from_str_radix(&span.trace_id, 16) else {
            return;
        };
        self.add(trace, Record::adopted(span));
    }

    /// The spans from this number on, as many as are wanted, and the number of the next one.
    #[must_use]
    pub fn after(&self, number: u64, limit: usize) -> (Vec<Span>, u64) {
        let kept = self.kept.lock();
        let traces = kept.traces.iter();
        let spans = traces.flat_map(|(id, trace)| trace.spans.iter().map(move |it| (*id, it)));
        let mut new: Vec<_> = spans.filter(|(_, it)| it.number >= number).collect();
        new.sort_unstable_by_key(|(_, it)| it.number);
        new.truncate(limit);
        let next = new.last().filter(|_| new.len() == limit);
        let next = next.map_or(kept.next, |(_, it)| it.number + 1);
        (new.into_iter().map(|(id, it)| it.shown(id)).collect(), next)
    }

    fn add(&self, id: u128, mut record: Record) {
        let mut kept = self.kept.lock();
        let kept = &mut *kept;
        record.number = kept.next;
        kept.next += 1;
        if kept.is_gone.contains(&id) {
            return;
        }
        let trace = kept.traces.entry(id).or_insert_with(|| {
            kept.recent.order.push_back(id);
            Trace::new()
        });
        if trace.spans.len() >= SPANS {
            return;
        }
        let bytes = record.bytes();
        trace.take(record);
        let reason = trace.reason;
        kept.shelf(reason).bytes += bytes;
        kept.make_room(self.most_bytes);
    }

    /// Calls `see` with the spans of each trace, in the order in which they ended; the traces in no order.
    pub fn each(&self, mut see: impl FnMut(&[Span])) {
        // Read in steps, so that no span waits for whoever looks.
        let ids: Vec<u128> = self.kept.lock().traces.keys().copied().collect();
        for id in ids {
            if let Some(spans) = self.spans(id) {
                see(&spans);
            }
        }
    }

    /// The spans of a trace, by its id; none when it is not here.
    #[must_use]
    pub fn find(&self, trace_id: &str) -> Option<Vec<Span>> {
        self.spans(u128::from_str_radix(trace_id, 16).ok()?)
    }

    fn spans(&self, id: u128) -> Option<Vec<Span>> {
        let kept = self.kept.lock();
        let trace = kept.traces.get(&id)?;
        Some(trace.spans.iter().map(|it| it.shown(id)).collect())
    }
}

impl Kept {
    fn shelf(&mut self, reason: Reason) -> &mut Shelf {
        match reason {
            Reason::Recent => &mut self.recent,
            Reason::Failed => &mut self.failed,
            Reason::Slow => &mut self.slow,
        }
    }

    fn make_room(&mut self, most_bytes: usize) {
        let eighth = most_bytes / 8;
        while self.recent.bytes > 5 * eighth {
            let Some(id) = self.recent.order.pop_front() else {
                break;
            };
            self.leave_recent(id, eighth);
        }
        self.trim(Reason::Failed, 2 * eighth);
        self.trim(Reason::Slow, eighth);
    }

    /// Puts what must leave the recent ones where it is still found, if it is worth it.
    fn leave_recent(&mut self, id: u128, slow_bytes: usize) {
        let Some(trace) = self.traces.get(&id) else {
            return;
        };
        let (bytes, failed) = (trace.bytes, trace.failed);
        self.recent.bytes -= bytes;
        let reason = if failed {
            Reason::Failed
        } else if self.is_among_the_slowest(id, slow_bytes) {
            Reason::Slow
        } else {
            self.forget(id);
            return;
        };
        let shelf = self.shelf(reason);
        shelf.order.push_back(id);
        shelf.bytes += bytes;
        if let Some(trace) = self.traces.get_mut(&id) {
            trace.reason = reason;
        }
    }

    /// Whether there is room among the slowest, or a trace there that was faster or is too old; that one goes.
    fn is_among_the_slowest(&mut self, id: u128, most_bytes: usize) -> bool {
        let Some(own) = self.traces.get(&id) else {
            return false;
        };
        let (longest, now, bytes) = (own.longest, own.ended, own.bytes);
        if self.slow.bytes + bytes <= most_bytes {
            return true;
        }
        let rank = |id: &u128| {
            let trace = self.traces.get(id)?;
            let age = now.duration_since(trace.ended).unwrap_or_default();
            Some(if age > SLOW_FOR {
                Duration::ZERO
            } else {
                trace.longest
            })
        };
        let ranked = self.slow.order.iter().enumerate();
        let fastest = ranked
            .filter_map(|(place, id)| Some((rank(id)?, place)))
            .min();
        match fastest {
            Some((fastest, place)) if fastest < longest => {
                if let Some(other) = self.slow.order.remove(place) {
                    self.slow.bytes -= self.traces.get(&other).map_or(0, |it| it.bytes);
                    self.forget(other);
                }
                true
            }
            _ => false,
        }
    }

    fn trim(&mut self, reason: Reason, most_bytes: usize) {
        while self.shelf(reason).bytes > most_bytes {
            let Some(id) = self.shelf(reason).order.pop_front() else {
                break;
            };
            self.shelf(reason).bytes -= self.traces.get(&id).map_or(0, |it| it.bytes);
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u128) {
        self.traces.remove(&id);
        if self.gone.len() == GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            self.is_gone.remove(&oldest);
        }
        self.gone.push_back(id);
        self.is_gone.insert(id);
    }
}

impl Trace {
    fn new() -> Self {
        Self {
            reason: Reason::Recent,
            // Most have one; a vector that grows begins with room for four.
            spans: Vec::with_capacity(1),
            bytes: 0,
            failed: false,
            longest: Duration::ZERO,
            ended: UNIX_EPOCH,
        }
    }

    fn take(&mut self, record: Record) {
        self.bytes += record.bytes();
        self.failed |= record.error;
        self.longest = self.longest.max(record.duration);
        self.ended = self.ended.max(record.start + record.duration);
        self.spans.push(record);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use opentelemetry::KeyValue;

    use super::super::span::TARGET;
    use super::*;

    fn record(id: u64, milliseconds: u64, error: bool) -> Record {
        Record {
            number: 0,
            id,
            parent: 0,
            name: Cow::Borrowed("POST /graphql"),
            is_entry: true,
            start: UNIX_EPOCH + Duration::from_secs(id),
            duration: Duration::from_millis(milliseconds),
            error,
            attributes: vec![
                KeyValue::new("http.route", "/graphql"),
                KeyValue::new(TARGET, "router::serve"),
            ],
        }
    }

    fn has(traces: &Traces, id: u128) -> bool {
        traces.find(&format!("{id:032x}")).is_some()
    }

    fn bytes(traces: &Traces) -> usize {
        let kept = traces.kept.lock();
        let shelves = [&kept.recent, &kept.failed, &kept.slow];
        let counted: usize = shelves.iter().map(|it| it.bytes).sum();
        let real: usize = kept.traces.values().map(|it| it.bytes).sum();
        assert_eq!(counted, real, "the shelves count what they hold");
        counted
    }

    #[test]
    fn memory_is_bounded_and_errors_and_the_slowest_outlast_the_others() {
        let traces = Traces::of(200_000);
        for number in 0..20_000_u64 {
            let error = number == 500;
            let slow = if number == 19_300 { 9_000 } else { 10 };
            traces.add(u128::from(number), record(number, slow, error));
        }
        assert!(bytes(&traces) <= 200_000);
        assert!(has(&traces, 19_999) && !has(&traces, 19_301));
        assert!(has(&traces, 500), "it failed");
        assert!(has(&traces, 19_300), "it is the slowest of late");
        assert!(traces.kept.lock().gone.len() <= GONE);
    }

    #[test]
    fn errors_without_end_do_not_push_the_others_out() {
        let traces = Traces::of(200_000);
        for number in 0..20_000_u64 {
            traces.add(u128::from(number), record(number, 10, true));
        }
        assert!(bytes(&traces) <= 200_000);
        assert!(has(&traces, 19_999));
    }

    /// A slow trace of an hour ago is no news.
    #[test]
    fn the_slowest_of_long_ago_give_way() {
        let traces = Traces::of(20_000);
        traces.add(1, record(1, 60_000, false));
        for number in 2..2_000_u64 {
            traces.add(u128::from(number), record(number, 10, false));
        }
        assert!(!has(&traces, 1));
    }

    #[test]
    fn a_trace_that_is_gone_does_not_come_back_in_part_and_one_trace_is_bounded() {
        let traces = Traces::of(50_000);
        for number in 0..1_000_u64 {
            traces.add(u128::from(number), record(number, 10, false));
        }
        let gone = (0..1_000).find(|id| !has(&traces, *id)).unwrap();
        traces.add(gone, record(7, 10, true));
        assert!(!has(&traces, gone));
        let traces = Traces::of(1 << 20);
        for number in 0..5_000 {
            traces.add(1, record(number, 10, false));
        }
        assert!(traces.find(&format!("{:032x}", 1)).unwrap().len() <= SPANS);
    }

    #[test]
    fn another_process_gets_every_span_once_and_shows_the_same() {
        let (own, other) = (Traces::of(1 << 20), Traces::of(1 << 20));
        for number in 0..25 {
            own.add(u128::from(number % 3 + 1), record(number, 10, false));
        }
        let (mut next, mut count) = (0, 0);
        loop {
            let (spans, then) = own.after(next, 4);
            if spans.is_empty() {
                break;
            }
            count += spans.len();
            next = then;
            spans.into_iter().for_each(|span| other.adopt(span));
        }
        assert_eq!(count, 25);
        let id = format!("{:032x}", 2);
        assert_eq!(own.find(&id), other.find(&id));
    }
}
