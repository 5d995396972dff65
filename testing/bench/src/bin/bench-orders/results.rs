//! Everything that one run has measured.

use serde::Serialize;

use crate::{benchmark, stream, workload};

/// The content of results.json.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: String,
    pub(crate) cores: usize,
    pub(crate) orders: Vec<benchmark::Outcome>,
    pub(crate) flash_sales: Vec<workload::Outcome>,
    pub(crate) stream: stream::Outcome,
}
