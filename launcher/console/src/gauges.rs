//! Figures over the last quarter of an hour: a ring of samples, one every five seconds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::Clock;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::exposition::values;
use crate::host::Host;

/// The time between two samples.
pub(crate) const STEP: Duration = Duration::from_secs(5);
/// Samples that are kept: 15 minutes.
const KEPT: usize = 180;
/// Names and units, in the order of a sample's values.
const SERIES: [(&str, &str); 7] = [
    ("outbox_backlog", "events"),
    ("relay_age_seconds", "s"),
    ("consumer_lag", "messages"),
    ("stream_lag_ms", "ms"),
    ("requests_per_second", "1/s"),
    ("errors_per_second", "1/s"),
    ("memory_bytes", "bytes"),
];

/// The samples. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges(Arc<Mutex<VecDeque<Sample>>>);

#[derive(Debug, Clone)]
struct Sample {
    /// Unix seconds.
    at: i64,
    values: [Option<f64>; SERIES.len()],
}

/// What `GET gauges` answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    step_seconds: u64,
    series: Vec<Series>,
}

#[derive(Debug, Serialize)]
struct Series {
    name: &'static str,
    unit: &'static str,
    points: Vec<(i64, f64)>,
}

/// Counters that only grow, of the sample before.
#[derive(Debug, Default)]
struct Counters {
    requests: f64,
    errors: f64,
}

impl Gauges {
    /// The samples of the last `minutes`.
    pub(crate) fn shown(&self, minutes: u64) -> Shown {
        let samples = self.0.lock();
        let wanted = (minutes * 60 / STEP.as_secs()).try_into().unwrap_or(KEPT);
        let first = samples.len().saturating_sub(wanted);
        let point = |place: usize| {
            let points = samples.range(first..).filter_map(move |sample| {
                let value = sample.values[place]?;
                Some((sample.at, value))
            });
            points.collect()
        };
        let series = SERIES.iter().enumerate();
        Shown {
            step_seconds: STEP.as_secs(),
            series: series
                .map(|(place, (name, unit))| Series {
                    name,
                    unit,
                    points: point(place),
                })
                .collect(),
        }
    }

    fn add(&self, sample: Sample) {
        let mut samples = self.0.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// Takes samples until `stop`.
    pub(crate) async fn follow(self, host: Arc<dyn Host>, clock: Clock, stop: CancellationToken) {
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = None;
        let following = async {
            loop {
                ticks.tick().await;
                let (texts, backlog) = futures::join!(host.metrics(), host.backlog());
                let values = sample(&texts, backlog, &mut before);
                let at = clock.now().timestamp();
                self.add(Sample { at, values });
            }
        };
        stop.run_until_cancelled(following).await;
    }
}

fn sample(
    texts: &[String],
    backlog: Option<u64>,
    before: &mut Option<Counters>,
) -> [Option<f64>; SERIES.len()] {
    let all = |metric: &'static str| texts.iter().flat_map(move |text| values(text, metric));
    let sum = |metric| all(metric).sum::<f64>();
    let most = |metric| all(metric).reduce(f64::max);
    let added = |metric| all(metric).reduce(|a, b| a + b);
    let now = Counters {
        requests: sum("marketplace_router_requests_total")
            + sum("marketplace_rest_request_duration_seconds_count"),
        errors: sum("marketplace_router_errors_total"),
    };
    let (requests, errors) = before.as_ref().map_or((None, None), |before| {
        (
            Some(rate(before.requests, now.requests)),
            Some(rate(before.errors, now.errors)),
        )
    });
    *before = Some(now);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a chart has no 53 bits of height"
    )]
    let backlog = backlog.map(|events| events as f64);
    [
        backlog,
        most("marketplace_outbox_oldest_unsent_seconds"),
        added("marketplace_notifier_lag_messages"),
        most("marketplace_router_oldest_frame_seconds").map(|seconds| seconds * 1e3),
        requests,
        errors,
        added("process_resident_memory_bytes"),
    ]
}

/// Growth a second; a counter that is lower than before has begun anew, with its process.
fn rate(before: f64, now: f64) -> f64 {
    let grown = if now < before { now } else { now - before };
    grown / STEP.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_growth_of_a_counter_and_never_negative() {
        let text = |count: u32| {
            vec![format!(
                "marketplace_router_requests_total{{route=\"/graphql\"}} {count}\n\
                 process_resident_memory_bytes 1000\n"
            )]
        };
        let mut before = None;
        let requests = |values: [Option<f64>; 7]| values[4];
        assert_eq!(requests(sample(&text(100), Some(2), &mut before)), None);
        let second = sample(&text(150), Some(2), &mut before);
        assert_eq!(second[0], Some(2.0));
        assert_eq!(second[1], None, "nobody reports it");
        assert_eq!((second[4], second[6]), (Some(10.0), Some(1000.0)));
        assert_eq!(
            requests(sample(&text(20), None, &mut before)),
            Some(4.0),
            "the process was started anew"
        );
    }

    #[test]
    fn the_ring_keeps_a_quarter_of_an_hour() {
        let gauges = Gauges::default();
        for at in 0..1_000 {
            let values = [Some(1.0); SERIES.len()];
            gauges.add(Sample { at, values });
        }
        let points = |minutes| gauges.shown(minutes).series[0].points.clone();
        assert_eq!(points(15).len(), 180);
        assert_eq!(points(u64::MAX / 60).len(), 180);
        assert_eq!(points(1).first(), Some(&(988, 1.0)));
    }
}
