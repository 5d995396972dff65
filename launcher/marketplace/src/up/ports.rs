//! A taken port is named before anything slow is started.

use std::net::TcpListener;

use anyhow::bail;
use dev_services::kafka::cluster;

use super::stores;
use crate::settings::{Listener, Settings};

/// The setting of the console's port, of which `up` takes another where it is not free.
pub(crate) const CONSOLE: &str = "console.listen";

/// Checks every port that `up` is about to listen on.
///
/// # Errors
/// Names the port, what would be there and the setting that moves it.
pub(crate) fn check(settings: &Settings, separate: bool) -> anyhow::Result<()> {
    // The console has its port already, or takes another.
    let all = all(settings, separate).into_iter();
    for listener in all.filter(|it| it.setting != CONSOLE) {
        if listener.address.port() != 0 && TcpListener::bind(listener.address).is_err() {
            let Listener {
                what,
                setting,
                address,
            } = listener;
            let example = if setting.starts_with("up.") {
                "PORT"
            } else {
                "127.0.0.1:PORT"
            };
            bail!(
                "port {} ({what}) is taken by another process; stop it, or move {setting} \
                 (--set {setting}={example}), or move all ports (--port-offset N)",
                address.port(),
            );
        }
    }
    Ok(())
}

/// The listeners of the services, of the console and of the private stores.
pub(crate) fn all(settings: &Settings, separate: bool) -> Vec<Listener> {
    let mut all = settings.listeners(separate);
    let local = |port| std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port));
    if settings.console_enabled() {
        all.push(Listener {
            what: "the operators' console",
            setting: CONSOLE,
            address: settings.console.listen,
        });
    }
    if stores::external_postgres(settings).is_none() {
        let address = local(settings.up.postgres_port);
        all.push(Listener {
            what: "Postgres",
            setting: "up.postgres_port",
            address,
        });
    }
    if stores::external_kafka(settings).is_none() {
        let kafka = |(what, port)| Listener {
            what,
            setting: "up.kafka_port",
            address: local(port),
        };
        all.extend(kafka_ports(settings).into_iter().map(kafka));
    }
    all
}

/// What listens of the private Kafka: one port, or two for each broker of a cluster.
fn kafka_ports(settings: &Settings) -> Vec<(&'static str, u16)> {
    let brokers = usize::from(settings.up.brokers);
    if brokers == 1 || stores::is_mock(settings) {
        return vec![("Kafka", settings.up.kafka_port)];
    }
    let (brokers, controllers) = cluster::ports(settings.up.kafka_port, brokers);
    let brokers = brokers.into_iter().map(|port| ("a Kafka broker", port));
    let controllers = controllers.into_iter();
    brokers
        .chain(controllers.map(|port| ("a Kafka controller", port)))
        .collect()
}
