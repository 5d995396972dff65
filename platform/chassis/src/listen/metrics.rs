//! The figures of connections, by listener.

use std::sync::LazyLock;

use prometheus::{
    IntCounter, IntCounterVec, IntGaugeVec, register_int_counter, register_int_counter_vec,
    register_int_gauge_vec,
};

static OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_connections_open",
        "Connections that are open, by listener",
        &["listener"]
    )
    .expect("the name is registered once")
});

static CUT: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_connections_cut_total",
        "Connections that this side refused or closed, by listener and reason",
        &["listener", "reason"]
    )
    .expect("the name is registered once")
});

static ACCEPT_ERRORS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_accept_errors_total",
        "Connections that could not be accepted, for want of file descriptors or memory"
    )
    .expect("the name is registered once")
});

/// Why a connection was refused or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The head of a request took too long, or none came on a new connection.
    HeaderTimeout,
    /// No request for too long.
    Idle,
    /// The client took nothing for too long.
    WriteTimeout,
    /// It made room for another.
    Evicted,
    /// Refused: all of the listener's have a request in flight.
    ListenerFull,
    /// Refused: all of the address's have a request in flight.
    AddressFull,
    /// Refused: all of the process's have a request in flight.
    ProcessFull,
}

impl Reason {
    const ALL: [Self; 7] = [
        Self::HeaderTimeout,
        Self::Idle,
        Self::WriteTimeout,
        Self::Evicted,
        Self::ListenerFull,
        Self::AddressFull,
        Self::ProcessFull,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::HeaderTimeout => "header_timeout",
            Self::Idle => "idle",
            Self::WriteTimeout => "write_timeout",
            Self::Evicted => "evicted",
            Self::ListenerFull => "listener_full",
            Self::AddressFull => "address_full",
            Self::ProcessFull => "process_full",
        }
    }
}

/// Shows the series of a listener before its first connection.
pub(super) fn announce(listener: &'static str) {
    OPEN.with_label_values(&[listener]).add(0);
    for reason in Reason::ALL {
        CUT.with_label_values(&[listener, reason.as_str()])
            .inc_by(0);
    }
    ACCEPT_ERRORS.inc_by(0);
}

pub(super) fn opened(listener: &'static str) {
    OPEN.with_label_values(&[listener]).inc();
}

pub(super) fn closed(listener: &'static str) {
    OPEN.with_label_values(&[listener]).dec();
}

pub(super) fn cut(listener: &'static str, reason: Reason) {
    CUT.with_label_values(&[listener, reason.as_str()]).inc();
}

pub(super) fn accept_failed() {
    ACCEPT_ERRORS.inc();
}
