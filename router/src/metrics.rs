//! Errors that clients read, by their code: of refused requests and of fields.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, register_int_counter_vec};
use schema::code::ErrorCode;

static ERRORS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_errors_total",
        "Errors in answers and refusals by code; refusals in userErrors are none.",
        &["code"]
    )
    .expect("the name is registered once")
});

/// Shows every code before its first error.
pub(crate) fn announce() {
    for code in ErrorCode::ALL {
        ERRORS.with_label_values(&[code.as_str()]).inc_by(0);
    }
}

/// Counts an error that a client will read.
pub(crate) fn error(code: ErrorCode) {
    ERRORS.with_label_values(&[code.as_str()]).inc();
}
