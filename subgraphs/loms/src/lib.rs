//! loms.
