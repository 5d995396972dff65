//! A stand-in for the shop's product service: names and prices of the catalogue, behind a key.
//!
//! It speaks the newest generation of that service: `GET /product/{sku}`, `GET /product?count=&start_after_sku=`,
//! the header `X-API-KEY`, errors as `{"code", "message"}`. The catalogue is read once at the start and never changes,
//! so an answer depends on the request alone, unless [`faults`] are switched on. Start reading at [`api`].
//! Source: docs/contracts.md §2.

pub mod api;
mod catalogue;
mod error;
pub mod faults;

use std::net::{Ipv4Addr, SocketAddr};

use chassis::{config::Secret, health::Health, listen, tasks::Tasks, telemetry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::{
    catalogue::{Catalogue, FIRST_GENERATED, Product},
    faults::Faults,
};

/// The OpenAPI document, as `/swagger.json` has it: pretty JSON with a line end.
///
/// # Panics
/// Never: a document is plain data.
#[must_use]
pub fn openapi() -> String {
    use utoipa::OpenApi as _;
    let document = api::Document::openapi().to_pretty_json();
    format!("{}\n", document.expect("a document is plain data"))
}

/// Settings of the product service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The key that callers send in `X-API-KEY`.
    pub key: Secret,
    /// Made-up products beside those of the catalogue, for loads that need many; none by default.
    #[schemars(range(max = 100_000))]
    pub generated: u32,
    /// Wrong answers on purpose; none by default.
    pub faults: Faults,
    /// Serves `/faults`, where they can be switched on later, also while `product.faults.enabled` is off. `up` sets it for the
    /// faults of its console.
    pub fault_switch_enabled: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8082)),
            // The key that the contract names; it guards nothing.
            key: Secret::new("testToken".to_owned()),
            generated: 0,
            faults: Faults::default(),
            fault_switch_enabled: false,
        }
    }
}

/// Why the product service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its port cannot be listened on.
    #[error(transparent)]
    Listen(#[from] listen::Error),
}

/// A product service that listens.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
}

impl Service {
    /// Listens, and serves until `tasks` is cancelled.
    ///
    /// # Errors
    /// [`StartError::Listen`] when the address cannot be bound; it names the setting that moves it.
    pub async fn start(config: Config, tasks: &Tasks, health: &Health) -> Result<Self, StartError> {
        let listener = listen::bind(config.listen, "product.listen").await?;
        let address = listener.local_addr().unwrap_or(config.listen);
        if config.faults.enabled {
            faults::warn(&config.faults);
        }
        let is_switchable = config.faults.enabled || config.fault_switch_enabled;
        let injector = is_switchable.then(|| faults::Injector::new(config.faults, tasks.token()));
        let catalogue = Catalogue::seeded().with_generated(config.generated);
        let routes = api::routes(catalogue, config.key, injector)
            .merge(health.routes())
            .merge(telemetry::routes());
        // It needs nothing from elsewhere, so it has started; `/startupz` asks for one component that says so.
        health.component("catalogue").up();
        listen::serve("product-service", listener, routes, tasks, health);
        Ok(Self { address })
    }

    /// The address it really listens on: with port 0 in the settings, the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
