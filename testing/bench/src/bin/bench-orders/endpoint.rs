//! The ways in which a client of the contest orders: by the use case itself, or as users do, over gRPC.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::health::Health;
use chassis::principal::{Signer, Verifier};
use chassis::tasks::Tasks;
use loms::order::Orders;
use loms::{Config, Dependencies, Service};
use loms_domain::lines::{Line, Lines};
use schema::id::{Quantity, Sku, UserId};
use schema::proto::loms::loms_client::LomsClient;
use schema::proto::loms::{Item, OrderCreateRequest};
use serde::Serialize;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::ground::Ground;

/// Connections of all clients of one service together; each carries many calls at once.
const CONNECTIONS: usize = 8;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    /// The whole service over a socket, with its relay at work.
    Grpc,
    /// `loms::order::Orders` in this process, with nothing else beside it.
    UseCase,
}

impl Door {
    pub(crate) const ALL: [Self; 2] = [Self::Grpc, Self::UseCase];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::UseCase => "use case",
        }
    }

    /// Waits until nothing is left of a turn.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn settle(self, ground: &Ground) -> anyhow::Result<()> {
        match self {
            Self::Grpc => ground.until_sent().await,
            Self::UseCase => Ok(()),
        }
    }
}

/// An order service behind one of its doors.
#[derive(Debug, Clone)]
pub(crate) enum Shop {
    Grpc(Vec<LomsClient<Channel>>),
    UseCase(Orders),
}

impl Shop {
    /// Opens an order service on the ground.
    ///
    /// # Errors
    /// When the service does not start or cannot be reached.
    pub(crate) async fn open(
        ground: &Ground,
        door: Door,
        grouped: bool,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        if door == Door::UseCase {
            return Ok(Self::UseCase(ground.orders(grouped, None, tasks)));
        }
        let config = Config {
            grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            group_commit: grouped,
            // No order of the contest may expire in it.
            order_ttl: Duration::from_secs(24 * 3_600),
            ..Config::default()
        };
        let clock = Clock::system();
        let keys = serde_json::json!({ "keys": [Signer::generate(clock.clone()).jwk()] });
        let verifier = Verifier::new(&serde_json::from_value(keys)?, clock.clone())?;
        let dependencies = Dependencies {
            postgres: chassis::postgres::Config::default(),
            kafka: ground.kafka.clone(),
            verifier: Arc::new(verifier),
            clock,
        };
        let (db, health) = (ground.db.clone(), Health::new());
        let service = Service::start_on(db, config, dependencies, tasks, &health).await?;
        let address = format!("http://{}", service.grpc_address());
        let mut clients = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let channel = Channel::from_shared(address.clone())?.connect().await;
            clients.push(LomsClient::new(channel.context("the service's socket")?));
        }
        Ok(Self::Grpc(clients))
    }

    /// One order of `count` units by `client`, with a key that nobody has had.
    ///
    /// # Errors
    /// Any answer but a reservation.
    pub(crate) async fn order(&self, client: usize, sku: i64, count: u32) -> anyhow::Result<()> {
        match self {
            Self::UseCase(orders) => {
                let lines = Lines::new(vec![Line {
                    sku: Sku::try_from(sku)?,
                    quantity: Quantity::try_from(count)?,
                    unit_price: None,
                }])?;
                let caller = crate::contest::caller(1)?;
                let made = orders.create(&caller, UserId::try_from(1)?, &lines).await?;
                anyhow::ensure!(made.value.refusal.is_none(), "the shelves are empty");
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
