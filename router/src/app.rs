//! The router's wiring: what is built from what, and in which order it stops.
//!
//! Start: the stream's reader, the engine over the subgraphs, then the listeners, so that the first client finds
//! everything there. Stop: readiness is withdrawn, streams end with a cursor to resume from, listeners finish what is
//! in flight, and the tasks of mutations run to their end. Invariant: when a port is taken, the start fails and names
//! the port's setting.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use chassis::{
    admission::Limiter,
    clock::Clock,
    health::Health,
    kafka, listen,
    principal::{ServiceSigner, Signer, Verifier},
    tasks::Tasks,
};
use federation::{Engine, RootFields, Transport};
use tokio::net::TcpListener;

use crate::{
    admission::budget,
    config::Config,
    engine::{self, EngineError},
    events_query::EventsQuery,
    probe,
    serve::{self, Documents, DocumentsError, Front, Gateway, Issuer},
    stream::{self, Drain, EventLog, Hub},
    supergraph::{Kept, Source, SourceError, Watch},
};

/// What the router needs of its surroundings.
#[derive(Debug)]
pub struct Dependencies {
    /// How to reach each of the shop's own subgraphs, but `events`.
    pub subgraphs: BTreeMap<String, Transport>,
    /// Addresses of subgraphs that an operator set, by name: they go before what the supergraph says.
    pub subgraph_urls: BTreeMap<String, String>,
    /// Where the last good supergraph is kept.
    pub state_dir: PathBuf,
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
    /// There is no supergraph.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The supergraph cannot be served.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The trusted documents cannot be read.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// The REST listeners cannot be served.
    #[error(transparent)]
    Rest(#[from] rest::StartError),
}

impl Service {
    /// Starts the router over the supergraph of the settings and returns when it listens. What a graph does not have is not
    /// started: no broker is needed without `events`, and the REST listeners are those of the shop's three subgraphs.
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
        chassis::tls::install();
        let documents = Documents::load(&config.trusted_documents)?;
        let listening = listen::bind(config.listen, "router.listen").await?;
        let admin = listen::bind(config.admin_listen, "router.admin_listen").await?;
        let address = local(&listening, config.listen);
        let admin_address = local(&admin, config.admin_listen);

        let Graph {
            engine,
            log,
            is_shop,
        } = Graph::load(&config, &dependencies, tasks, health).await?;
        let Dependencies {
            verifier,
            signer,
            demo_issuer,
            clock,
            ..
        } = dependencies;
        let drain = Drain::default();
        let budget = Arc::new(budget(&config.rate_limit, clock.clone()));
        let hub = Hub::new(
            Arc::clone(&engine),
            budget,
            log,
            Arc::clone(&signer),
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
        let rest_config = rest::Config {
            enabled: config.rest.enabled && is_shop,
            ..config.rest.clone()
        };
        let rest = rest::start(
            rest_config,
            Arc::clone(&engine),
            signer,
            clock.clone(),
            entrance(&limiter, &config),
            tasks,
            health,
        )
        .await?;
        documents.watch(config.supergraph_reload.interval, tasks);
        let gateway = Gateway::new(
            Arc::clone(&engine),
            hub,
            verifier,
            documents,
            limiter.door("graphql"),
            tasks.clone(),
            config.clone(),
        );
        let service = serve::service(gateway, issuer, health.routes());
        serve_clients(listening, service, &config, &drain, tasks, health);
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
        compress: config.http.compress,
    }
}

/// What is served, from the first look at its source on.
struct Graph {
    engine: Arc<Engine>,
    log: Arc<EventLog>,
    /// Whether it has all of the shop's own subgraphs, which the REST listeners need.
    is_shop: bool,
}

impl Graph {
    async fn load(
        config: &Config,
        dependencies: &Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let (shop, set) = (&dependencies.subgraphs, &dependencies.subgraph_urls);
        let (service, clock) = (&dependencies.service, &dependencies.clock);
        let mut watch = Watch {
            source: Source::new(config)?,
            kept: Kept::of(&dependencies.state_dir, &config.supergraph),
            interval: config.supergraph_reload.interval,
            clock: clock.clone(),
        };
        let supergraph = watch.first().await?;
        let ours = of_the_shop(&supergraph, shop, set);
        probe::watch(&ours, service.as_ref(), tasks, health);
        let log = Arc::new(EventLog::new(
            config.stream.log.clone(),
            dependencies.kafka.clone(),
            tasks.clone(),
            health.clone(),
        ));
        let subgraphs = engine::Subgraphs {
            shop: shop.clone(),
            set: set.clone(),
            events: events(log.clone(), clock.clone(), config.rate_limit.budget),
            streams: streams(log.has_broker()),
        };
        let engine = Arc::new(engine::start(
            config.engine.clone(),
            &config.subgraphs,
            &supergraph,
            subgraphs,
            service.clone(),
        )?);
        watch.serves(&supergraph).await;
        watch.run(Arc::clone(&engine), tasks);
        Ok(Self {
            engine,
            log,
            is_shop: ours.len() == shop.len(),
        })
    }
}

/// Gives what resolves the fields of `events`, and starts their log when a graph first has them: the broker is asked then, and
/// not by the first client.
fn events(
    log: Arc<EventLog>,
    clock: Clock,
    budget: u64,
) -> Arc<dyn Fn() -> Arc<dyn RootFields> + Send + Sync> {
    let fields = OnceLock::new();
    Arc::new(move || {
        let fields = fields.get_or_init(|| {
            log.get();
            let events = EventsQuery::new(log.clone(), clock.clone(), budget);
            Arc::new(events) as Arc<dyn RootFields>
        });
        Arc::clone(fields)
    })
}

/// Reads the streams of a graph.
fn streams(has_broker: bool) -> engine::ReadStreams {
    Arc::new(move |said| stream::read(said, has_broker).map_err(|refused| refused.to_string()))
}

/// Those of the shop's own subgraphs that the graph has.
fn of_the_shop(
    supergraph: &str,
    shop: &BTreeMap<String, Transport>,
    set: &BTreeMap<String, String>,
) -> BTreeMap<String, Transport> {
    let usual = engine::built_in();
    let declared = federation::declared(supergraph).unwrap_or_default();
    let ours = declared
        .into_iter()
        .filter(|it| usual.get(&it.name) == Some(&it.url) || set.contains_key(&it.name));
    ours.filter_map(|it| Some((it.name.clone(), shop.get(&it.name)?.clone())))
        .collect()
}

fn serve_clients(
    listener: TcpListener,
    service: Front,
    config: &Config,
    drain: &Drain,
    tasks: &Tasks,
    health: &Health,
) {
    // Twice the stream's own limit: the hint to resume gets its chance before the socket is cut.
    let stall_timeout = config.stream.slow_client_timeout * 2;
    listen::Server::new("router", listener, tasks)
        .bounded(config.http.connections_max, stall_timeout)
        .until(drain.listeners(), config.http.drain_timeout)
        .serve(service, tasks, health);
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
