//! The router's wiring: what is built from what, and in which order it stops.
//!
//! Start: the stream's reader, the engine over the subgraphs, then the listeners, so that the first client finds
//! everything there. Stop: readiness is withdrawn, streams end with a cursor to resume from, listeners finish what is
//! in flight, and the tasks of mutations run to their end. Invariant: when a port is taken, the start fails and names
//! the port's setting.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use chassis::{
    admission::Limiter,
    clock::Clock,
    health::Health,
    kafka, listen,
    principal::{ServiceSigner, Signer, Verifier},
    tasks::Tasks,
};
use federation::{Engine, LoadError, Transport};
use order_stream::OrderStream;
use tokio::net::TcpListener;

use crate::{
    admission::budget,
    config::Config,
    engine,
    events_query::EventsQuery,
    probe,
    serve::{self, Gateway, Issuer},
    stream::{Drain, Hub},
};

/// What the router needs of its surroundings.
#[derive(Debug)]
pub struct Dependencies {
    /// How to reach each subgraph of the supergraph, but `events`.
    pub subgraphs: BTreeMap<String, Transport>,
    /// Where the order events are.
    pub kafka: kafka::Config,
    /// Checks the callers' tokens.
    pub verifier: Arc<Verifier>,
    /// Signs for users of the REST listeners.
    pub signer: Arc<Signer>,
    /// Proves the router to subgraphs of other processes; without it they refuse it.
    pub service: Option<Arc<ServiceSigner>>,
    /// Signs the demo's tokens; production has none.
    pub demo_issuer: Option<Arc<Signer>>,
    /// The time.
    pub clock: Clock,
}

/// The running router.
#[derive(Debug, Clone)]
pub struct Service {
    /// Where clients find it, with the port that the system chose when the setting is 0.
    pub address: SocketAddr,
    /// Where operators find it.
    pub admin_address: SocketAddr,
    /// Where clients of REST find it, unless that is switched off.
    pub rest: Option<rest::Listening>,
    engine: Arc<Engine>,
}

/// Why the router did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or an address is not this machine's.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The supergraph cannot be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The REST listeners cannot be served.
    #[error(transparent)]
    Rest(#[from] rest::StartError),
}

impl Service {
    /// Starts the router over the project's supergraph and returns when it listens.
    ///
    /// Broker and subgraphs may be unreachable: the router becomes ready when they are back.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let Dependencies {
            subgraphs,
            kafka,
            verifier,
            signer,
            service,
            demo_issuer,
            clock,
        } = dependencies;
        chassis::tls::install();
        let listening = listen::bind(config.listen, "router.listen").await?;
        let admin = listen::bind(config.admin_listen, "router.admin_listen").await?;
        let address = local(&listening, config.listen);
        let admin_address = local(&admin, config.admin_listen);

        probe::watch(&subgraphs, service.as_ref(), tasks, health);
        let log = OrderStream::start(config.stream.log.clone(), kafka, tasks, health);
        let events = EventsQuery::new(log.clone(), clock.clone(), config.rate_limit.budget);
        let engine = engine::start(
            config.engine.clone(),
            schema::sdl::SUPERGRAPH,
            subgraphs,
            Arc::new(events),
            service,
        )?;
        let engine = Arc::new(engine);

        let drain = Drain::default();
        let budget = Arc::new(budget(&config.rate_limit, clock.clone()));
        let hub = Hub::new(
            Arc::clone(&engine),
            budget,
            log,
            clock.clone(),
            config.stream.clone(),
            drain.clone(),
        );
        let issuer = Issuer {
            demo: demo_issuer,
            signer: Arc::clone(&signer),
            demo_token_ttl: config.demo_token_ttl,
        };
        let limiter = Limiter::new("router", config.admission.clone());
        let rest = rest::start(
            config.rest.clone(),
            Arc::clone(&engine),
            signer,
            clock.clone(),
            entrance(&limiter, &config),
            tasks,
            health,
        )
        .await?;
        let gateway = Gateway::new(
            Arc::clone(&engine),
            hub,
            verifier,
            drain.clone(),
            limiter.door("graphql"),
            tasks.clone(),
            config.clone(),
        );
        let routes = serve::routes(gateway, issuer, health.routes());
        // Twice the stream's own limit: the hint to resume gets its chance before the socket is cut.
        let stall_timeout = config.stream.slow_client_timeout * 2;
        listen::Server::new("router", listening, tasks)
            .bounded(config.http.connections_max, stall_timeout)
            .until(drain.listeners(), config.http.drain_timeout)
            .serve(routes, tasks, health);
        serve_operators(admin, tasks, health);
        let lead = drain.lead(tasks.clone(), health.clone(), config.http.drain_timeout);
        let _drain = tasks.spawn("router drain", lead);
        tracing::info!(%address, %admin_address, "router listens");
        Ok(Self {
            address,
            admin_address,
            rest,
            engine,
        })
    }

    /// The engine, for callers that run operations in this process.
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }
}

fn entrance(limiter: &Limiter, config: &Config) -> rest::Entrance {
    rest::Entrance {
        door: limiter.door("rest"),
        proxies: config.http.trusted_proxies.clone(),
    }
}

fn serve_operators(listener: TcpListener, tasks: &Tasks, health: &Health) {
    let routes = health.routes().merge(chassis::telemetry::routes());
    listen::Server::new("router admin", listener, tasks)
        .reserved()
        .serve(routes, tasks, health);
}

fn local(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}
