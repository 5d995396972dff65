//! The whole cart service against a real product service, a fake order service and carts in memory.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ::schema::seed;
use async_graphql::Request;
use cart::{Config, Dependencies, Service, Store};
use chassis::{
    clock::Clock,
    graphql::LocalSubgraph,
    health::Health,
    postgres,
    principal::{Principal, Scopes},
    tasks::Tasks,
};
use product_service::Faults;
use serde_json::Value;

use crate::{fake_loms::FakeLoms, user};

/// A product that has stock.
pub(crate) const TEA: i64 = 1_076_963;

pub(crate) struct Graph {
    pub(crate) subgraph: LocalSubgraph,
    pub(crate) loms: FakeLoms,
    pub(crate) products: Tasks,
    product_url: String,
}

impl Graph {
    /// Ten units of two products, and everything as it is by default.
    pub(crate) async fn start() -> Self {
        let loms = FakeLoms::start([(TEA, 10), (2_956_315, 10)]).await;
        Self::start_with(loms, Faults::default(), Config::default()).await
    }

    /// A thousand units of each product, a product service with these faults, and these settings of the cart.
    pub(crate) async fn start_faulty(faults: Faults, config: Config) -> Self {
        let stock = seed::products().into_iter().map(|row| (row.sku, 1000));
        Self::start_with(FakeLoms::start(stock).await, faults, config).await
    }

    async fn start_with(loms: FakeLoms, faults: Faults, config: Config) -> Self {
        let products = Tasks::new();
        let product_config = product_service::Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            faults,
            ..product_service::Config::default()
        };
        let health = Health::new();
        let started = product_service::Service::start(product_config, &products, &health).await;
        let address = started.expect("port 0 is free").address();
        let product_url = format!("http://{address}");
        let config = Config {
            store: Store::Memory,
            loms_url: loms.url(),
            product_url: product_url.clone(),
            ..config
        };
        let dependencies = Dependencies {
            postgres: postgres::Config::default(),
            service: None,
            clock: Clock::system(),
        };
        let service = Service::start(config, dependencies, &Tasks::new(), &Health::new()).await;
        Self {
            subgraph: service.expect("the settings are right").subgraph(),
            loms,
            products,
            product_url,
        }
    }

    pub(crate) fn principal(id: i64, scopes: Scopes) -> Arc<Principal> {
        let expires_at = Clock::system().now() + Duration::from_secs(60);
        Arc::new(Principal {
            user: Some(user(id)),
            scopes,
            expires_at,
            service: None,
        })
    }

    pub(crate) async fn run(&self, request: Request) -> Value {
        serde_json::to_value(self.subgraph.execute(request).await).expect("an answer is JSON")
    }

    /// Runs an operation as user 1.
    pub(crate) async fn ask(&self, operation: &str) -> Value {
        self.ask_as(1, operation).await
    }

    pub(crate) async fn ask_as(&self, id: i64, operation: &str) -> Value {
        let me = Self::principal(id, Scopes::CUSTOMER);
        self.run(Request::new(operation).data(me)).await
    }

    pub(crate) async fn add(&self, sku: &str, count: i64) -> Value {
        self.add_as(1, sku, count).await["data"]["addToCart"].clone()
    }

    /// The whole answer to an add of user `id`.
    pub(crate) async fn add_as(&self, id: i64, sku: &str, count: i64) -> Value {
        let operation = format!(
            r#"mutation {{ addToCart(input: {{ sku: "{sku}", count: {count} }}) {{
                cart {{ itemCount }} userErrors {{ code field }} }} }}"#
        );
        self.ask_as(id, &operation).await
    }

    /// Switches the product service's faults; it was started with them on.
    pub(crate) async fn put_faults(&self, faults: &Faults) {
        let request = reqwest::Client::new().put(format!("{}/faults", self.product_url));
        let answer = request.header("X-API-KEY", "testToken").json(faults).send();
        let status = answer.await.expect("the product service answers").status();
        assert_eq!(status, 200);
    }

    /// Requests for products that came since the faults were set.
    pub(crate) async fn product_requests(&self) -> u64 {
        let request = reqwest::Client::new().get(format!("{}/faults", self.product_url));
        let answer = request.header("X-API-KEY", "testToken").send().await;
        let shown: Value = answer.expect("it answers").json().await.expect("JSON");
        shown["requests"].as_u64().expect("a number")
    }
}
