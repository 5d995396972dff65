//! The federation engine as this shop runs it.
//!
//! [`start`] gives it the error codes that clients may read, metrics, traces and the fields that the router resolves
//! itself; [`local`] is a subgraph of this process.

pub mod local;
mod telemetry;

use std::{collections::BTreeMap, sync::Arc};

use chassis::principal::ServiceSigner;
use federation::{
    Code, Credential, Engine, EngineConfig, Host, LoadError, PublicCodes, RootFields, Transport,
};
use http::{HeaderName, HeaderValue};
use schema::code::ErrorCode;

pub(crate) use telemetry::errors as count_errors;

/// The subgraph whose Query the router resolves itself.
const OWN_SUBGRAPH: &str = "events";

/// Loads a supergraph of the shop; `fields` are those that no other process could resolve. `service` proves the router to
/// subgraphs of other processes.
///
/// # Errors
/// [`LoadError`] when the supergraph cannot be planned over, or one of its subgraphs is not among `subgraphs`.
pub fn start(
    config: EngineConfig,
    supergraph_sdl: &str,
    mut subgraphs: BTreeMap<String, Transport>,
    fields: Arc<dyn RootFields>,
    service: Option<Arc<ServiceSigner>>,
) -> Result<Engine, LoadError> {
    let own = Transport::Fields(fields);
    subgraphs.entry(OWN_SUBGRAPH.to_owned()).or_insert(own);
    let host = Host {
        codes: public_codes(),
        telemetry: Arc::new(telemetry::Observer::new()),
        credential: service
            .map(|signer| Arc::new(ServiceCredential(signer)) as Arc<dyn Credential>),
    };
    Engine::new(config, supergraph_sdl, subgraphs, host)
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

    /// A subgraph closes a connection that is idle for longer than this.
    #[test]
    fn the_engine_gives_up_an_idle_connection_before_the_subgraph_does() {
        let kept = EngineConfig::default().fetch.idle_timeout;
        assert_eq!(kept, chassis::listen::KEEP_IDLE);
    }
}
