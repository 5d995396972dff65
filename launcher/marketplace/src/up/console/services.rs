//! How each service and store is: by this process's health, or by what its own process answers.

use std::net::SocketAddr;
use std::time::Duration;

use dev_services::process::{Identity, is_halted, resident_bytes};
use futures::future::join_all;
use ops_console::{Port, Service, State};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::place::Surroundings;
use crate::http;
use crate::settings::Settings;
use crate::up::ports;

const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A service: its name, where its process answers probes, the settings of its ports, and the beginnings of the names of
/// its components in the health of a process that has all services.
struct Known {
    name: &'static str,
    /// The subcommand, which its pid file is named after.
    process: &'static str,
    ports: &'static [&'static str],
    components: &'static [&'static str],
}

const SERVICES: [Known; 6] = [
    Known {
        name: "router",
        process: "router",
        ports: &["router.listen", "router.admin_listen", "router.rest."],
        components: &["order-stream", "subgraph "],
    },
    Known {
        name: "cart",
        process: "cart",
        ports: &["subgraphs.cart_listen"],
        components: &["cart"],
    },
    Known {
        name: "loms",
        process: "loms",
        ports: &["loms.grpc_listen", "subgraphs.loms_listen"],
        components: &["loms", "order-groups", "outbox-relay"],
    },
    Known {
        name: "comments",
        process: "comments",
        ports: &["comments.grpc_listen", "subgraphs.comments_listen"],
        components: &["comments"],
    },
    Known {
        name: "notifier",
        process: "notifier",
        ports: &["notifier.admin_listen"],
        components: &["notifier"],
    },
    Known {
        name: "product",
        process: "product-service",
        ports: &["product.listen"],
        components: &["catalogue"],
    },
];

/// Every store and service of this `up`.
pub(super) async fn all(here: &Surroundings) -> Vec<Service> {
    let stores = [("kafka", &here.notes[0]), ("postgres", &here.notes[1])];
    let stores = join_all(stores.map(|(name, note)| store(here, name, note)));
    let services = join_all(SERVICES.iter().map(|known| service(here, known)));
    let (mut all, services) = futures::join!(stores, services);
    all.extend(services);
    all
}

async fn store(here: &Surroundings, name: &'static str, note: &str) -> Service {
    let process = Identity::find_running(&here.place.pid_file(name)).map(|it| it.pid);
    let address = match name {
        "kafka" => kafka_address(here),
        _ => postgres_address(here),
    };
    let connected = match &address {
        Some((host, port)) => {
            let connecting = TcpStream::connect((host.as_str(), *port));
            matches!(timeout(CONNECT_LIMIT, connecting).await, Ok(Ok(_)))
        }
        None => false,
    };
    let state = match process {
        Some(pid) if is_halted(pid) => State::Stopped,
        _ if connected => State::Up,
        _ => State::Down,
    };
    let ports = address.into_iter().map(|(_, port)| Port {
        name: name.to_owned(),
        port,
        url: None,
    });
    Service {
        name,
        state,
        pid: process,
        version: None,
        memory_bytes: process.and_then(resident_bytes),
        shared: false,
        ports: ports.collect(),
        detail: Some(note.to_owned()),
    }
}

fn kafka_address(here: &Surroundings) -> Option<(String, u16)> {
    let first = here.settings.kafka.brokers.split(',').next()?;
    let (host, port) = first.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

fn postgres_address(here: &Surroundings) -> Option<(String, u16)> {
    let url = url::Url::parse(here.settings.postgres.url.expose()).ok()?;
    Some((url.host_str()?.to_owned(), url.port().unwrap_or(5432)))
}

async fn service(here: &Surroundings, known: &Known) -> Service {
    let pid = if here.place.separate {
        let file = here.place.pid_file(known.process);
        Identity::find_running(&file).map(|it| it.pid)
    } else {
        Some(std::process::id())
    };
    let (state, detail) = match pid {
        Some(pid) if is_halted(pid) => (State::Stopped, Some("its process is halted".to_owned())),
        None => (State::Down, Some("its process has ended".to_owned())),
        Some(_) if here.place.separate => by_its_answer(here, known).await,
        Some(_) => by_our_health(here, known),
    };
    Service {
        name: known.name,
        state,
        pid,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        memory_bytes: pid.and_then(resident_bytes),
        shared: !here.place.separate,
        ports: ports(here, known),
        detail,
    }
}

fn ports(here: &Surroundings, known: &Known) -> Vec<Port> {
    let all = ports::all(&here.settings, here.place.separate).into_iter();
    let own = all.filter(|it| known.ports.iter().any(|own| it.setting.starts_with(own)));
    own.map(|it| Port {
        name: it.what.to_owned(),
        port: it.address.port(),
        url: page(it.setting).map(|path| format!("http://{}{path}", it.address)),
    })
    .collect()
}

/// What a browser finds at a port.
fn page(setting: &str) -> Option<&'static str> {
    match setting {
        "router.listen" => Some("/"),
        "router.admin_listen" | "notifier.admin_listen" => Some("/metrics"),
        "product.listen" => Some("/docs"),
        rest if rest.starts_with("router.rest.") => Some("/docs"),
        subgraph if subgraph.starts_with("subgraphs.") => Some("/metrics"),
        _ => None,
    }
}

/// The state and what is missing, of a service that shares this process.
fn by_our_health(here: &Surroundings, known: &Known) -> (State, Option<String>) {
    let is_own = |name: &str| known.components.iter().any(|own| name.starts_with(own));
    let missing = here.health.missing().into_iter();
    judge(missing.filter(|(name, _)| is_own(name)))
}

/// The state and what is missing, of a service in a process of its own.
async fn by_its_answer(here: &Surroundings, known: &Known) -> (State, Option<String>) {
    let mut addresses = probed(&here.settings).into_iter();
    let address = addresses.find(|(name, _)| *name == known.name);
    let answer = match address {
        Some((_, address)) => http::get(address, "/readyz").await,
        None => None,
    };
    let Some((status, body)) = answer else {
        return (State::Down, Some("it does not answer".to_owned()));
    };
    if status == 200 {
        return (State::Up, None);
    }
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    let components = told["components"].as_object().cloned().unwrap_or_default();
    let missing = components.into_iter().filter_map(|(name, state)| {
        let state = state.as_str()?.to_owned();
        (state != "up").then_some((name, state))
    });
    let (state, detail) = judge(missing);
    // It says that it is not ready, whatever the reason.
    let state = if state == State::Up {
        State::Starting
    } else {
        state
    };
    (state, detail)
}

/// Where the process of each service answers operators, where it has one of its own.
pub(super) fn probed(settings: &Settings) -> [(&'static str, SocketAddr); 6] {
    let subgraphs = &settings.subgraphs;
    [
        ("router", settings.router.admin_listen),
        ("cart", subgraphs.cart_listen),
        ("loms", subgraphs.loms_listen),
        ("comments", subgraphs.comments_listen),
        ("notifier", settings.notifier.admin_listen),
        ("product", settings.product.listen),
    ]
}

fn judge(missing: impl Iterator<Item = (String, String)>) -> (State, Option<String>) {
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return (State::Up, None);
    }
    let is_starting = missing.iter().all(|(_, why)| why == "starting");
    let words: Vec<_> = missing
        .iter()
        .map(|(name, why)| format!("{name}: {why}"))
        .collect();
    let state = if is_starting {
        State::Starting
    } else {
        State::Down
    };
    (state, Some(words.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_down_for_a_reason_and_starting_without_one() {
        let missing = |all: &[(&str, &str)]| {
            let all: Vec<_> = all
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect();
            judge(all.into_iter())
        };
        assert_eq!(missing(&[]), (State::Up, None));
        assert_eq!(missing(&[("cart", "starting")]).0, State::Starting);
        let (state, detail) = missing(&[("a", "starting"), ("b", "the broker is away")]);
        assert_eq!(state, State::Down);
        assert_eq!(
            detail.as_deref(),
            Some("a: starting; b: the broker is away")
        );
    }

    /// Fails with a setting misspelt.
    #[test]
    fn every_port_of_a_service_is_some_service_s() {
        let listeners = crate::settings::Settings::default().listeners(true);
        for listener in &listeners {
            let owners = SERVICES.iter().filter(|known| {
                let mut ports = known.ports.iter();
                ports.any(|port| listener.setting.starts_with(port))
            });
            assert_eq!(owners.count(), 1, "{}", listener.setting);
        }
        let names = |known: &Known| known.ports.len();
        assert!(SERVICES.iter().map(names).sum::<usize>() <= listeners.len());
    }
}
