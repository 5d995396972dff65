//! The stream audit: what a router's live streams do on the wire, case by case. `make audit-streams` runs it.

pub mod streams;
