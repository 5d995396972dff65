//! What operators see of the supergraph.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, IntGauge, register_int_counter_vec, register_int_gauge};

static LOOKS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_supergraph_reloads_total",
        "Looks at the source of the supergraph by result: loaded, unchanged, refused, or unreachable.",
        &["result"]
    )
    .expect("the name is registered once")
});

static LOADED_AT: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_router_supergraph_loaded_timestamp_seconds",
        "When the supergraph that is served was loaded, as Unix time."
    )
    .expect("the name is registered once")
});

/// How a look at the source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Loaded,
    Unchanged,
    Refused,
    Unreachable,
}

impl Look {
    const ALL: [Self; 4] = [
        Self::Loaded,
        Self::Unchanged,
        Self::Refused,
        Self::Unreachable,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        }
    }

    pub(super) fn count(self) {
        LOOKS.with_label_values(&[self.as_str()]).inc();
    }
}

/// Shows every series before the first look.
pub(super) fn announce() {
    for look in Look::ALL {
        LOOKS.with_label_values(&[look.as_str()]).inc_by(0);
    }
}

/// Notes when the served supergraph was loaded.
pub(super) fn loaded_at(seconds: i64) {
    LOADED_AT.set(seconds);
}
