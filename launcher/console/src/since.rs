//! Since when each service has been in its state.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::Serialize;

use crate::host::{Service, State};

/// The states that were seen last, and when each was first seen.
#[derive(Debug, Default)]
pub(crate) struct Since(Mutex<HashMap<&'static str, (State, DateTime<Utc>)>>);

/// A service with the moment at which it came into its state.
#[derive(Debug, Serialize)]
pub(crate) struct Seen {
    #[serde(flatten)]
    service: Service,
    since: String,
}

impl Since {
    /// Takes note of what is seen at `now`.
    pub(crate) fn see(&self, services: Vec<Service>, now: DateTime<Utc>) -> Vec<Seen> {
        let mut known = self.0.lock();
        let services = services.into_iter().map(|service| {
            let entry = known.entry(service.name).or_insert((service.state, now));
            if entry.0 != service.state {
                *entry = (service.state, now);
            }
            let since = entry.1.to_rfc3339_opts(SecondsFormat::Millis, true);
            Seen { service, since }
        });
        services.collect()
    }
}
