//! The two interfaces that the benchmark measures: the order use case itself, and gRPC as users have it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::grpc::Tokens;
use chassis::health::Health;
use chassis::principal::{ServiceVerifier, Signer, Verifier};
use chassis::tasks::Tasks;
use idempotency::Key;
use loms::order::Orders;
use loms::{Access, Caller, Config, Dependencies, Service};
use loms_domain::lines::{Line, Lines};
use schema::id::{Quantity, Sku, UserId};
use schema::proto::loms::loms_client::LomsClient;
use schema::proto::loms::{Item, OrderCreateRequest};
use serde::Serialize;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::fixture::Fixture;

/// Connections to one service, shared by all clients; each carries many calls at once.
const CONNECTIONS: usize = 8;

/// An interface for placing orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endpoint {
    /// The whole service over a socket, with its relay running.
    Grpc,
    /// `loms::order::Orders` called in this process, without a relay.
    UseCase,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 2] = [Self::Grpc, Self::UseCase];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::UseCase => "use case",
        }
    }

    /// Waits until the relay has sent every event of a turn.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn settle(self, fixture: &Fixture) -> anyhow::Result<()> {
        match self {
            Self::Grpc => fixture.until_sent().await,
            Self::UseCase => Ok(()),
        }
    }
}

/// A running order service, reached through one of its endpoints.
#[derive(Debug, Clone)]
pub(crate) enum OrderService {
    Grpc(Vec<LomsClient<Channel>>),
    UseCase(Box<Orders>),
}

impl OrderService {
    /// Starts an order service on the stores of `fixture`.
    ///
    /// # Errors
    /// When the service does not start or cannot be reached.
    pub(crate) async fn start(
        fixture: &Fixture,
        endpoint: Endpoint,
        grouped: bool,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        if endpoint == Endpoint::UseCase {
            return Ok(Self::UseCase(Box::new(
                fixture.orders(grouped, None, tasks),
            )));
        }
        let config = Config {
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            group_commit: grouped,
            // No order may expire during the benchmark.
            order_ttl: Duration::from_secs(24 * 3_600),
            ..Config::default()
        };
        let dependencies = Dependencies {
            tokens: tokens()?,
            postgres: chassis::postgres::Config::default(),
            kafka: fixture.kafka.clone(),
            clock: Clock::system(),
        };
        let (db, health) = (fixture.db.clone(), Health::new());
        let service = Service::start_on(db, config, dependencies, tasks, &health).await?;
        let address = format!("http://{}", service.grpc_address());
        let mut clients = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let channel = Channel::from_shared(address.clone())?.connect().await;
            clients.push(LomsClient::new(
                channel.context("connecting to the order service")?,
            ));
        }
        Ok(Self::Grpc(clients))
    }

    /// Places one order of `count` units of `sku` with a new idempotency key. `client` picks the connection.
    ///
    /// # Errors
    /// When the service does anything but reserve the units.
    pub(crate) async fn order(&self, client: usize, sku: i64, count: u32) -> anyhow::Result<()> {
        match self {
            Self::UseCase(orders) => {
                let (caller, lines) = (caller(1)?, lines(sku, count)?);
                let made = orders.create(&caller, UserId::try_from(1)?, &lines).await?;
                anyhow::ensure!(made.value.refusal.is_none(), "SKU {sku} is out of stock");
            }
            Self::Grpc(clients) => {
                let item = Item {
                    sku,
                    count,
                    unit_price: None,
                };
                let mut request = Request::new(OrderCreateRequest {
                    user_id: 1,
                    items: vec![item],
                });
                let key = Uuid::new_v4().to_string().parse()?;
                request.metadata_mut().insert(idempotency::KEY_HEADER, key);
                clients[client % clients.len()]
                    .clone()
                    .order_create(request)
                    .await?;
            }
        }
        Ok(())
    }
}

/// A buyer with a new idempotency key.
pub(crate) fn caller(user: i64) -> anyhow::Result<Caller> {
    let user = UserId::try_from(user)?;
    Ok(Caller {
        access: Access::Owner(user),
        user: Some(user),
        key: Some(Key::try_from(Uuid::new_v4().to_string())?),
        traceparent: None,
    })
}

/// An order of a single line.
pub(crate) fn lines(sku: i64, count: u32) -> anyhow::Result<Lines> {
    Ok(Lines::new(vec![Line {
        sku: Sku::try_from(sku)?,
        quantity: Quantity::try_from(count)?,
        unit_price: None,
    }])?)
}

/// What nobody's token is checked by: the benchmark calls as older clients do.
fn tokens() -> anyhow::Result<Tokens> {
    let keys = vec![Signer::generate(Clock::system()).jwk()];
    let keys = serde_json::from_value(serde_json::json!({ "keys": keys }))?;
    Ok(Tokens {
        users: Arc::new(Verifier::new(&keys, Clock::system())?),
        services: ServiceVerifier::new(Path::new("/nonexistent"), Clock::system()),
    })
}
