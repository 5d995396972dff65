//! marketplace.
