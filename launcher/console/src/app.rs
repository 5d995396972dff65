//! Wiring: the listener, what runs behind it, and what the page is told first.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use chassis::{
    clock::Clock, compress::Coding, health::Health, listen, principal::Verifier, tasks::Tasks,
};
use serde::Serialize;
use tokio::net::TcpListener;
use url::Url;

use crate::api::{self, Api};
use crate::fault::{Fault, Faults};
use crate::gauges::{Gauges, STEP};
use crate::host::Host;
use crate::page;
use crate::shoppers::Shoppers;
use crate::since::Since;
use crate::verification::Verification;

/// What the page is told before it has a token. It holds no secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The router, as a browser on this machine reaches it.
    pub router: String,
    /// The profile's name.
    pub profile: &'static str,
    /// Whether faults can be put in.
    pub faults: bool,
    /// Whether load can be put on.
    pub load: bool,
    /// Whether the router hands out the demo's tokens.
    pub demo_tokens: bool,
    /// The console's version.
    pub console: &'static str,
}

/// What a console needs of its surroundings.
#[derive(Debug)]
pub struct Setup {
    /// The program that runs the services.
    pub host: Arc<dyn Host>,
    /// The router, for the page and for load.
    pub router: Url,
    /// The profile's name.
    pub profile: &'static str,
    /// Whether the router hands out the demo's tokens; load needs them.
    pub demo_tokens: bool,
    /// The faults of the demo; none in another profile.
    pub faults: Option<Vec<Arc<dyn Fault>>>,
    /// Checks operators' tokens.
    pub verifier: Arc<Verifier>,
    /// The time.
    pub clock: Clock,
}

/// Why the console did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its port cannot be listened on.
    #[error(transparent)]
    Listen(#[from] listen::Error),
}

/// A console that listens.
#[derive(Debug, Clone)]
pub struct Console {
    address: SocketAddr,
}

impl Console {
    /// Serves until `tasks` is cancelled.
    ///
    /// # Errors
    /// [`StartError::Listen`] when the listener has no address.
    pub fn start(
        listener: TcpListener,
        setup: Setup,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let unknown = |source| listen::Error::Other {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            setting: "console.listen".to_owned(),
            source,
        };
        let address = listener.local_addr().map_err(unknown)?;
        let routes = routes(setup, tasks);
        listen::Server::new("console", listener, tasks)
            .reserved()
            .serve(routes, tasks, health);
        Ok(Self { address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// All routes, and the tasks behind them.
fn routes(setup: Setup, tasks: &Tasks) -> Router {
    let session = session(&setup);
    let page = page::routes(&setup.router);
    let Setup {
        host,
        router,
        faults,
        verifier,
        clock,
        ..
    } = setup;
    let api = Api {
        since: Arc::default(),
        gauges: Gauges::default(),
        verification: Verification::of(host.clone()),
        shoppers: session.load.then(|| Shoppers::new(router, tasks.clone())),
        faults: faults.map(|faults| Faults::new(faults, tasks.clone())),
        host,
        clock,
    };
    watch(&api, tasks);
    let told = get(async move || Json(session));
    Router::new()
        .nest("/ops/api", api::routes(api, verifier))
        .route("/ops/api/session", told)
        .merge(page)
        .layer(middleware::from_fn(compressed))
}

/// Sends each answer as its client takes it.
async fn compressed(request: Request, next: Next) -> Response {
    let coding = Coding::asked(request.headers());
    coding.encode(next.run(request).await).await
}

fn session(setup: &Setup) -> Session {
    Session {
        router: setup.router.as_str().trim_end_matches('/').to_owned(),
        profile: setup.profile,
        faults: setup.faults.is_some(),
        load: setup.faults.is_some() && setup.demo_tokens,
        demo_tokens: setup.demo_tokens,
        console: env!("CARGO_PKG_VERSION"),
    }
}

/// Takes samples, and notes when a service changes, also while nobody looks.
fn watch(api: &Api, tasks: &Tasks) {
    let (host, clock) = (api.host.clone(), api.clock.clone());
    let sampling = api.gauges.clone();
    let sampling = sampling.follow(host.clone(), clock.clone(), tasks.token());
    drop(tasks.spawn("gauges of the console", sampling));
    let (since, stop): (Arc<Since>, _) = (api.since.clone(), tasks.token());
    let looking = async move {
        loop {
            drop(since.see(host.services().await, clock.now()));
            tokio::time::sleep(STEP).await;
        }
    };
    drop(tasks.spawn("services of the console", async move {
        stop.run_until_cancelled(looking).await;
    }));
}
