//! The engine's settings.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::limits::Limits;
use crate::operation::turns::NewOperations;
use crate::subgraph::FetchConfig;

/// Settings of the engine, a part of the embedding process's settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// How big an operation may be.
    pub limits: Limits,
    /// How subgraphs are called.
    pub fetch: FetchConfig,
    /// How long planning one operation may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub plan_timeout: Duration,
    /// How many operations that are not in the cache are prepared at once.
    pub new_operations: NewOperations,
    /// Bytes of memory for operations and plans that are kept.
    pub cache_bytes: u64,
    /// Bytes of persisted operations that are kept.
    pub persisted_bytes: u64,
    /// Whether clients may read the schema by `__schema` and `__type`, and are told names of it that are near to a wrong one;
    /// unset, both.
    pub introspection_enabled: Option<bool>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            fetch: FetchConfig::default(),
            plan_timeout: Duration::from_secs(2),
            new_operations: NewOperations::default(),
            cache_bytes: 64 * 1024 * 1024,
            persisted_bytes: 16 * 1024 * 1024,
            introspection_enabled: None,
        }
    }
}
