//! loms-domain.
