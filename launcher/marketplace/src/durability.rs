//! Checks at the start of each service whether its Postgres keeps what it acknowledges.
//!
//! The profile `production` does not start on a server that may lose it; the demo logs a warning. A server that does not
//! respond stops no start: it is asked again until it does, and a risk then takes a production process out of rotation.

use std::time::Duration;

use anyhow::Context as _;
use chassis::durability::{self, Risk};
use chassis::health::Component;
use chassis::postgres;
use migrations::Database;

use crate::services::ServiceHost;
use crate::settings::Profile;

/// How often a server that does not respond is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// The settings that are off in sessions of this database.
///
/// # Errors
/// When the server does not answer.
pub(crate) async fn look(server: &postgres::Config, database: &str) -> anyhow::Result<Vec<Risk>> {
    // A session of its own, outside of the service's pool.
    let config = postgres::Config {
        max_connections: 1,
        ..server.clone()
    };
    let db = postgres::connect(&config, database).await?;
    let risks = durability::risks(&db).await;
    db.close().await.context("closing a connection")?;
    Ok(risks?)
}

impl ServiceHost {
    /// Checks one database of a service, as that service's role.
    ///
    /// # Errors
    /// In production, when a setting is off; the message says how to turn it on.
    pub(crate) async fn check_durability(&self, of: Database, name: &str) -> anyhow::Result<()> {
        match look(&self.settings.postgres_of(of), name).await {
            Ok(risks) => match (self.settings.profile, risks.first()) {
                (Profile::Production, Some(risk)) => anyhow::bail!(risk.told()),
                (Profile::Production | Profile::Demo, _) => warn(&risks),
            },
            Err(error) => {
                tracing::debug!(error = %format!("{error:#}"), "durability is not known yet");
                self.look_later(of, name.to_owned());
            }
        }
        Ok(())
    }

    fn look_later(&self, of: Database, name: String) {
        let (host, token) = (self.clone(), self.tasks.token());
        let later = async move {
            let risks = loop {
                tokio::time::sleep(AGAIN).await;
                if let Ok(risks) = look(&host.settings.postgres_of(of), &name).await {
                    break risks;
                }
            };
            warn(&risks);
            if let (Profile::Production, Some(risk)) = (host.settings.profile, risks.first()) {
                let component: Component = host.health.component("postgres-durability");
                component.down(risk.told());
            }
        };
        self.tasks.spawn("postgres durability", async move {
            Box::pin(token.run_until_cancelled(later)).await;
        });
    }
}

fn warn(risks: &[Risk]) {
    for risk in risks {
        let told = risk.told();
        tracing::warn!(told, "Postgres may lose what it has acknowledged");
    }
}
