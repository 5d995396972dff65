//! Starts the services: one in a process of its own, or all of them in this process with in-process subgraph calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::graphql::{LocalSubgraph, subgraph_routes};
use chassis::grpc::Tokens;
use chassis::health::Health;
use chassis::listen;
use chassis::tasks::Tasks;
use chassis::telemetry;
use migrations::Database;
use router::{Transport, engine::local};

use crate::keys::{self, Keys};
use crate::settings::Settings;

/// The shop's own subgraphs that may be processes of their own.
const SHOP: [&str; 3] = ["cart", "loms", "comments"];

/// What every service of this process is started with.
#[derive(Debug, Clone)]
pub struct ServiceHost {
    /// The settings in force.
    pub settings: Settings,
    /// The keys of tokens.
    pub keys: Keys,
    /// The wall clock.
    pub clock: Clock,
    /// The tasks that a drain waits for.
    pub tasks: Tasks,
    /// The health that this process reports.
    pub health: Health,
}

/// Tasks that did not stop in time.
#[derive(Debug, thiserror::Error)]
#[error("not stopped in time: {}", .0.join(", "))]
pub struct StopTimeout(Vec<&'static str>);

impl ServiceHost {
    /// Prepares a process.
    ///
    /// # Errors
    /// When its keys cannot be loaded.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        chassis::tls::install();
        let (clock, tasks) = (Clock::system(), Tasks::new());
        let health = Health::of_instance(&settings.up.instance);
        let keys = Keys::open(&settings, &clock)?;
        keys.keep_fresh(&tasks, &health)?;
        telemetry::recent::answer_services(keys.services.clone());
        Ok(Self {
            settings,
            keys,
            clock,
            tasks,
            health,
        })
    }

    /// Reports "not ready" for `drain_notice` while everything still works.
    pub async fn announce_drain(&self) {
        self.health.drain();
        tokio::time::sleep(self.settings.drain_notice).await;
    }

    /// Takes the process out of rotation, signals every task and waits up to `limit` for them.
    ///
    /// # Errors
    /// [`StopTimeout`] names the tasks that are still running. The process would lose what they hold.
    pub async fn stop(&self, limit: Duration) -> Result<(), StopTimeout> {
        self.health.drain();
        let late = self.tasks.shutdown(limit).await;
        if late.is_empty() {
            return Ok(());
        }
        Err(StopTimeout(late))
    }

    /// Starts every service here; the router calls the subgraphs without HTTP.
    ///
    /// # Errors
    /// When a service does not start; the message names it.
    pub async fn start_all(&self) -> anyhow::Result<()> {
        self.start_product().await?;
        let loms = self.start_loms().await?;
        let cart = self.start_cart().await?;
        let comments = self.start_comments().await?;
        self.start_notifier().await?;
        let local = [("cart", cart), ("loms", loms), ("comments", comments)];
        self.start_router(
            local
                .map(|(name, subgraph)| (name.to_owned(), local::transport(subgraph)))
                .into(),
        )
        .await
    }

    /// Starts the product service.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_product(&self) -> anyhow::Result<()> {
        let config = self.settings.product.clone();
        product_service::Service::start(config, &self.tasks, &self.health)
            .await
            .context("the product service")?;
        Ok(())
    }

    /// Starts the order service with its gRPC listener and relay.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_loms(&self) -> anyhow::Result<LocalSubgraph> {
        self.check_durability(Database::Loms, "loms").await?;
        self.check_copies().await?;
        let dependencies = loms::Dependencies {
            postgres: self.settings.postgres_of(Database::Loms),
            kafka: self.settings.kafka.clone(),
            tokens: self.tokens(),
            clock: self.clock.clone(),
        };
        let config = self.settings.loms.clone();
        let service = loms::Service::start(config, dependencies, &self.tasks, &self.health).await;
        Ok(service.context("the order service")?.subgraph())
    }

    /// Starts the cart service.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_cart(&self) -> anyhow::Result<LocalSubgraph> {
        if self.settings.cart.store == cart::Store::Postgres {
            self.check_durability(Database::Cart, "cart").await?;
        }
        let dependencies = cart::Dependencies {
            postgres: self.settings.postgres_of(Database::Cart),
            service: Some(keys::service_signer(&self.settings, "cart", &self.clock)?),
            clock: self.clock.clone(),
        };
        let config = self.settings.cart.clone();
        let service = cart::Service::start(config, dependencies, &self.tasks, &self.health).await;
        Ok(service.context("the cart service")?.subgraph())
    }

    /// Starts the comments service.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_comments(&self) -> anyhow::Result<LocalSubgraph> {
        for database in &self.settings.comments.databases {
            self.check_durability(Database::Comments, database).await?;
        }
        let dependencies = comments::Dependencies {
            postgres: self.settings.postgres_of(Database::Comments),
            tokens: self.tokens(),
            clock: self.clock.clone(),
        };
        let config = self.settings.comments.clone();
        let service =
            comments::Service::start(config, dependencies, &self.tasks, &self.health).await;
        Ok(service.context("the comments service")?.subgraph())
    }

    fn tokens(&self) -> Tokens {
        Tokens {
            users: self.keys.verifier.clone(),
            services: self.keys.services.clone(),
        }
    }

    /// Starts the notifier.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_notifier(&self) -> anyhow::Result<()> {
        self.check_durability(Database::Notifier, &self.settings.notifier.database)
            .await?;
        let dependencies = notifier::Dependencies {
            postgres: self.settings.postgres_of(Database::Notifier),
            kafka: self.settings.kafka.clone(),
            clock: self.clock.clone(),
        };
        let config = self.settings.notifier.clone();
        notifier::Service::start(config, dependencies, &self.tasks, &self.health)
            .await
            .context("the notifier")?;
        Ok(())
    }

    /// Starts the router over these subgraphs.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_router(&self, subgraphs: BTreeMap<String, Transport>) -> anyhow::Result<()> {
        let dependencies = router::Dependencies {
            subgraphs,
            subgraph_urls: self.settings.subgraph_urls_set(),
            state_dir: self.settings.state_dir.clone(),
            kafka: self.settings.kafka.clone(),
            verifier: self.keys.verifier.clone(),
            signer: self.keys.router()?,
            service: Some(keys::service_signer(&self.settings, "router", &self.clock)?),
            demo_issuer: self.keys.demo_issuer()?,
            clock: self.clock.clone(),
        };
        let config = self.settings.router.clone();
        if self.keys.has_demo_issuer {
            // The settings allow it; this warns.
            let setting = "keys.demo_issuer_beyond_loopback_enabled";
            listen::check_reach(config.listen, "router.listen", true, setting)?;
        }
        router::Service::start(config, dependencies, &self.tasks, &self.health)
            .await
            .context("the router")?;
        Ok(())
    }

    /// The transports of a router whose subgraphs are processes of their own.
    ///
    /// # Errors
    /// When an address is not a valid URL.
    pub fn separate_subgraphs(&self) -> anyhow::Result<BTreeMap<String, Transport>> {
        let urls = &self.settings.router.subgraph_urls;
        let ours = urls
            .iter()
            .filter(|(name, _)| SHOP.contains(&name.as_str()));
        ours.map(|(name, text)| {
            let transport = Transport::http(text);
            let transport =
                transport.with_context(|| format!("router.subgraph_urls.{name} = {text}"))?;
            Ok((name.clone(), transport))
        })
        .collect()
    }

    /// Serves a subgraph over HTTP, with the health paths of its process.
    ///
    /// # Errors
    /// When the port is taken; the message names the setting that moves it.
    pub async fn serve_subgraph(
        &self,
        name: &'static str,
        subgraph: LocalSubgraph,
        address: SocketAddr,
        setting: &'static str,
    ) -> anyhow::Result<()> {
        let listener = listen::bind(address, setting).await?;
        let calls = self.settings.subgraphs.calls;
        let (verifier, services) = (self.keys.verifier.clone(), self.keys.services.clone());
        let routes =
            subgraph_routes(subgraph, verifier, services, calls).merge(self.admin_routes());
        listen::serve(name, listener, routes, &self.tasks, &self.health);
        Ok(())
    }

    /// Serves health and metrics of a process that has no listener of its own.
    ///
    /// # Errors
    /// When the port is taken; the message names the setting that moves it.
    pub async fn serve_admin(
        &self,
        name: &'static str,
        address: SocketAddr,
        setting: &'static str,
    ) -> anyhow::Result<()> {
        let listener = listen::bind(address, setting).await?;
        listen::Server::new(name, listener, &self.tasks)
            .reserved()
            .serve(self.admin_routes(), &self.tasks, &self.health);
        Ok(())
    }

    fn admin_routes(&self) -> axum::Router {
        self.health.routes().merge(chassis::telemetry::routes())
    }
}
