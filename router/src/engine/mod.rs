//! The federation engine as this shop runs it.
//!
//! [`start`] gives it the error codes that clients may read, metrics, traces and the fields that the router resolves
//! itself; [`local`] is a subgraph of this process.

pub mod local;
mod routes;
mod telemetry;

use std::{collections::BTreeMap, sync::Arc};

use chassis::principal::ServiceSigner;
use federation::{Code, Credential, Engine, EngineConfig, Host, LoadError, PublicCodes};
use http::{HeaderName, HeaderValue};
use schema::code::ErrorCode;

use self::routes::Reach;
use crate::config;

pub use routes::{ReadStreams, RuleError, Subgraphs};
pub(crate) use routes::{built_in, read_header};
pub(crate) use telemetry::errors as count_errors;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The supergraph cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A rule of a subgraph is none.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// Loads a supergraph. `rules` say how each subgraph is called, and `service` proves the router to the shop's own of other
/// processes.
///
/// # Errors
/// [`EngineError`] when the supergraph cannot be planned over, one of its subgraphs cannot be called, or a rule is none.
pub fn start(
    config: EngineConfig,
    rules: &BTreeMap<String, config::Subgraph>,
    supergraph_sdl: &str,
    subgraphs: Subgraphs,
    service: Option<Arc<ServiceSigner>>,
) -> Result<Engine, EngineError> {
    let routes = Reach::new(subgraphs, rules, &config.fetch)?;
    let host = Host {
        codes: public_codes(),
        telemetry: Arc::new(telemetry::Observer::new()),
        credential: service
            .map(|signer| Arc::new(ServiceCredential(signer)) as Arc<dyn Credential>),
    };
    Ok(Engine::new(config, supergraph_sdl, routes, host)?)
}

/// The schema that clients of the built-in supergraph see, as SDL.
///
/// # Errors
/// [`LoadError`], which is a defect.
pub fn api_schema() -> Result<String, LoadError> {
    federation::api_schema(schema::sdl::SUPERGRAPH)
}

/// Proves the router to the subgraphs' own ports, which answer services only.
struct ServiceCredential(Arc<ServiceSigner>);

impl Credential for ServiceCredential {
    fn header(&self) -> (HeaderName, HeaderValue) {
        self.0.header()
    }
}

/// Every code of the shop's table may reach clients; what has none is a fault and stays inside.
fn public_codes() -> PublicCodes {
    let codes = ErrorCode::ALL.iter();
    codes.map(|code| Code::new(code.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use federation::GraphqlError;

    use super::*;

    #[test]
    fn the_codes_and_sentences_of_the_engine_are_those_of_the_table() {
        for code in Code::ALL {
            assert!(ErrorCode::find(code.as_str()).is_some(), "{code:?}");
        }
        for error in [GraphqlError::internal(), GraphqlError::unavailable()] {
            let row = ErrorCode::find(error.code.as_str()).expect("checked above");
            assert_eq!(error.message, row.summary());
        }
    }

    /// What a description says of topics is no client's affair.
    #[test]
    fn clients_do_not_see_how_streams_are_described() {
        let api = api_schema().expect("the committed supergraph loads");
        assert!(api.contains("stockEvents") && !api.contains("@stream"));
    }

    /// A subgraph closes a connection that is idle for longer than this.
    #[test]
    fn the_engine_gives_up_an_idle_connection_before_the_subgraph_does() {
        let kept = EngineConfig::default().fetch.idle_timeout;
        assert_eq!(kept, chassis::listen::KEEP_IDLE);
    }
}
