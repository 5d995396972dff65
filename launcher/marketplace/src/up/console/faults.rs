//! The faults of the demo: the product service's own, the halted broker, killed processes, a record that nobody can read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chassis::kafka;
use dev_services::process::{Identity, Signal, is_halted, send};
use futures::future::BoxFuture;
use ops_console::Fault;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;

use super::place::Place;
use crate::http;
use crate::settings::Settings;
use crate::up::relay::Relay;
use crate::up::stores::Stores;
use crate::verify::POISON;

/// How long the product service misbehaves.
const PRODUCT: Duration = Duration::from_secs(20);
/// How long the broker is halted.
const BROKER: Duration = Duration::from_secs(30);
/// How long Postgres is slow, and by how much.
const POSTGRES: Duration = Duration::from_secs(20);
const SLOWER: Duration = Duration::from_millis(500);
/// How long a killed process is watched; it is started again at once.
const KILLED: Duration = Duration::from_secs(5);
/// How long the broker may take for a record.
const SEND_LIMIT: Duration = Duration::from_secs(5);

type Done<'a> = BoxFuture<'a, Result<(), String>>;

/// Every fault of this `up`; one that cannot be had says why.
pub(super) fn all(settings: &Settings, stores: &Stores, place: &Place) -> Vec<Arc<dyn Fault>> {
    let product = |name, title, body| -> Arc<dyn Fault> {
        Arc::new(Product {
            name,
            title,
            body,
            settings: settings.product.clone(),
        })
    };
    let kill = |name, title, process| -> Arc<dyn Fault> {
        Arc::new(Kill {
            name,
            title,
            pid_file: place.pid_file(process),
            separate: place.separate,
        })
    };
    let broker = BrokerAway {
        pid_file: place.pid_file("kafka"),
        is_ours: stores.kafka.pids.len() == 1,
    };
    let poison = Poison {
        kafka: settings.kafka.clone(),
    };
    vec![
        product(
            "product-slow",
            "The product service takes 2 s for each answer",
            r#"{"enabled":true,"latency":"2s"}"#,
        ),
        product(
            "product-429",
            "The product service answers every second request with 429",
            r#"{"enabled":true,"status_429_every":2}"#,
        ),
        product(
            "product-500",
            "The product service answers every request with 500",
            r#"{"enabled":true,"status_500_every":1}"#,
        ),
        kill("kill-router", "Kill the router (kill -9)", "router"),
        kill("kill-loms", "Kill the order service (kill -9)", "loms"),
        kill("kill-cart", "Kill the cart service (kill -9)", "cart"),
        kill("kill-notifier", "Kill the notifier (kill -9)", "notifier"),
        Arc::new(broker),
        Arc::new(PostgresSlow {
            relay: stores.relay.clone(),
        }),
        Arc::new(poison),
    ]
}

/// The product service answers wrongly, by its own switch.
#[derive(Debug)]
struct Product {
    name: &'static str,
    title: &'static str,
    /// What its switch is set to. Source: `product_service::Faults`.
    body: &'static str,
    settings: product_service::Config,
}

impl Product {
    async fn set(&self, body: &str) -> Result<(), String> {
        let key = ("x-api-key", self.settings.key.expose());
        let answer = http::put(self.settings.listen, "/faults", key, body).await;
        match answer {
            Some((200, _)) => Ok(()),
            Some((status, body)) => Err(format!("its switch answers {status}: {body}")),
            None => Err("the product service does not answer".to_owned()),
        }
    }
}

impl Fault for Product {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn part(&self) -> &'static str {
        "product"
    }

    fn lasts(&self) -> Duration {
        PRODUCT
    }

    fn inject(&self) -> Done<'_> {
        Box::pin(self.set(self.body))
    }

    fn heal(&self) -> Done<'_> {
        Box::pin(self.set("{}"))
    }
}

/// A service's process is killed; `up` starts it again.
#[derive(Debug)]
struct Kill {
    name: &'static str,
    title: &'static str,
    pid_file: PathBuf,
    separate: bool,
}

impl Fault for Kill {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn part(&self) -> &'static str {
        self.name
    }

    fn lasts(&self) -> Duration {
        KILLED
    }

    fn unavailable(&self) -> Option<String> {
        let why = "all services share one process here, and it would end with them; `marketplace up --processes` runs \
                   each in one of its own";
        (!self.separate).then(|| why.to_owned())
    }

    fn inject(&self) -> Done<'_> {
        Box::pin(async {
            let process = Identity::find_running(&self.pid_file);
            let process = process.ok_or("its process does not run at the moment")?;
            send(process.pid, Signal::Kill);
            Ok(())
        })
    }

    fn heal(&self) -> Done<'_> {
        Box::pin(async {
            let process = Identity::find_running(&self.pid_file);
            process
                .map(|_| ())
                .ok_or_else(|| "it was not started again yet".to_owned())
        })
    }
}

/// The broker's process is halted: connections stay open, and nothing is answered.
#[derive(Debug)]
struct BrokerAway {
    pid_file: PathBuf,
    is_ours: bool,
}

impl Fault for BrokerAway {
    fn name(&self) -> &'static str {
        "broker-away-30s"
    }

    fn title(&self) -> &'static str {
        "Kafka answers nothing for 30 s"
    }

    fn part(&self) -> &'static str {
        "broker"
    }

    fn lasts(&self) -> Duration {
        BROKER
    }

    fn unavailable(&self) -> Option<String> {
        let why = "this `up` has not started the broker, so it does not stop it";
        (!self.is_ours).then(|| why.to_owned())
    }

    fn inject(&self) -> Done<'_> {
        Box::pin(async {
            let process = Identity::find_running(&self.pid_file);
            let process = process.ok_or("the broker does not run at the moment")?;
            send(process.pid, Signal::Halt);
            Ok(())
        })
    }

    fn heal(&self) -> Done<'_> {
        Box::pin(async {
            let Some(process) = Identity::find_running(&self.pid_file) else {
                // It was killed meanwhile; what is started anew is not halted.
                return Ok(());
            };
            send(process.pid, Signal::Continue);
            if is_halted(process.pid) {
                return Err("its process is still halted".to_owned());
            }
            Ok(())
        })
    }
}

/// What the services send to Postgres waits in the relay between.
#[derive(Debug)]
struct PostgresSlow {
    /// None where nothing stands between.
    relay: Option<Relay>,
}

impl PostgresSlow {
    fn slow_by(&self, delay: Duration) -> Result<(), String> {
        let relay = self.relay.as_ref().ok_or("there is no relay")?;
        relay.slow_by(delay);
        Ok(())
    }
}

impl Fault for PostgresSlow {
    fn name(&self) -> &'static str {
        "postgres-slow-500ms"
    }

    fn title(&self) -> &'static str {
        "Postgres takes 500 ms more for each answer"
    }

    fn part(&self) -> &'static str {
        "postgres"
    }

    fn lasts(&self) -> Duration {
        POSTGRES
    }

    fn unavailable(&self) -> Option<String> {
        let why = "the services speak to Postgres directly; `marketplace up --set console.postgres_relay_enabled=true` puts a \
                   relay between, where Postgres is of its own";
        self.relay.is_none().then(|| why.to_owned())
    }

    fn inject(&self) -> Done<'_> {
        Box::pin(async { self.slow_by(SLOWER) })
    }

    fn heal(&self) -> Done<'_> {
        Box::pin(async { self.slow_by(Duration::ZERO) })
    }
}

/// A record that is no order event, which the notifier parks and every other reader passes over.
struct Poison {
    kafka: kafka::Config,
}

impl fmt::Debug for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Poison").field(&self.kafka.topic).finish()
    }
}

impl Fault for Poison {
    fn name(&self) -> &'static str {
        "poison-event"
    }

    fn title(&self) -> &'static str {
        "A record in the topic that cannot be read: the notifier parks it (marketplace dead-letters list)"
    }

    fn part(&self) -> &'static str {
        "topic"
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn inject(&self) -> Done<'_> {
        Box::pin(async {
            let producer = kafka::producer(&self.kafka).map_err(|error| error.to_string())?;
            let mark = Header {
                key: POISON,
                value: Some("1"),
            };
            let record = FutureRecord::<str, str>::to(&self.kafka.topic)
                .key("poison")
                .payload("this is no order event")
                .headers(OwnedHeaders::new().insert(mark));
            let sent = producer.send(record, SEND_LIMIT).await;
            sent.map(|_| ()).map_err(|(error, _)| error.to_string())
        })
    }

    fn heal(&self) -> Done<'_> {
        // It is parked by itself, and stays to be looked at.
        Box::pin(async { Ok(()) })
    }
}
