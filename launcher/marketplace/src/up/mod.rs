//! `marketplace up`: starts a whole marketplace and stops it again.
//!
//! In order: the folder and the ports are checked, then Postgres and Kafka are found or started together, databases are migrated and
//! seeded, then the services start, in this process or in one each. What was started first is stopped last. A private
//! Postgres or Kafka that dies is restarted.

mod banner;
mod console;
mod fleet;
pub(crate) mod folder;
mod mock;
mod orphans;
pub(crate) mod ports;
pub(crate) mod prepare;
pub(crate) mod record;
pub(crate) mod relay;
mod restart;
pub(crate) mod service_file;
pub(crate) mod stores;

use std::time::Duration;

use anyhow::bail;
use chassis::telemetry;
use dev_services::Progress;
use dev_services::state::StateDir;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::cli::{Common, Up};
use crate::services::ServiceHost;
use crate::settings::Settings;
use crate::signals::StopSignals;
use crate::{http, keys, output};

use fleet::Fleet;
use stores::Stores;

/// How long services may take to finish their work.
const DRAIN_LIMIT: Duration = Duration::from_millis(4_800);

/// Runs until a signal asks it to stop.
///
/// # Errors
/// When something cannot be found, started or reached; the message says what to do. Also when a task does not stop; the
/// message names it.
pub async fn run(settings: Settings, common: &Common, options: &Up) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut settings = settings;
    let mut signals = StopSignals::listen()?;
    settings.up.instance = uuid::Uuid::new_v4().to_string();
    folder::check(&settings)?;
    let state = StateDir::open(&settings.state_dir)?;
    if settings.telemetry.log_file.is_none() {
        telemetry::log_to(&state.log("marketplace"))?;
    }
    let progress = Progress::new(output::progress);
    tokio::select! {
        () = orphans::stop(&state, &progress) => {}
        () = signals.next() => return Ok(()),
    }
    let console = console::bind(&mut settings, common).await?;
    ports::check(&settings, options.processes)?;
    let stores = tokio::select! {
        stores = Stores::start(&settings, &state, &progress) => stores?,
        () = signals.next() => return Ok(()),
    };
    let _written = record::write(state.root(), &settings, options.processes)?;
    let settings = stores.point_to(settings, &state)?;
    // The settings of every service are in it: too much for the stack.
    let serving = Box::pin(serve(
        settings,
        &state,
        &stores,
        Start {
            common,
            options,
            console,
            started,
        },
        &mut signals,
    ));
    let outcome = serving.await;
    output::progress("marketplace", "stopping Postgres and Kafka");
    stores.stop(&mut signals).await;
    outcome
}

/// How this `up` was begun.
struct Start<'a> {
    common: &'a Common,
    options: &'a Up,
    /// The console's port, where there is to be one.
    console: Option<TcpListener>,
    started: Instant,
}

/// The part between the start of the stores and their stop.
async fn serve(
    settings: Settings,
    state: &StateDir,
    stores: &Stores,
    Start {
        common,
        options,
        console,
        started,
    }: Start<'_>,
    signals: &mut StopSignals,
) -> anyhow::Result<()> {
    let host = ServiceHost::new(settings)?;
    let running = async |lost: &CancellationToken| {
        prepare::databases_and_topic(&host.settings, stores.is_mock()).await?;
        service_file::write(state.root(), &stores.postgres.address)?;
        keys::forget_services(&host.settings)?;
        output::progress("services", "starting");
        let fleet = if options.processes {
            Some(Fleet::start(&host, state, stores, common, lost)?)
        } else {
            host.start_all().await?;
            None
        };
        if let Some(listener) = console {
            let place = console::Place {
                folder: state.root().to_owned(),
                separate: options.processes,
            };
            console::start(listener, &host, stores, place).await?;
        }
        wait_ready(&host.settings, options.processes).await?;
        anyhow::Ok(fleet)
    };
    let lost = CancellationToken::new();
    let fleet = tokio::select! {
        fleet = running(&lost) => fleet,
        () = lost.cancelled() => Err(no_port()),
        () = signals.next() => return Ok(host.stop(DRAIN_LIMIT).await?),
    };
    let fleet = match fleet {
        Ok(fleet) => fleet,
        Err(error) => {
            if let Err(unstopped) = host.stop(DRAIN_LIMIT).await {
                tracing::warn!(%unstopped, "a start that failed could not stop everything");
            }
            return Err(error);
        }
    };
    banner::print(&host, state, stores, fleet.as_ref(), started.elapsed())?;
    let ended = tokio::select! {
        () = signals.next() => Ok(()),
        () = lost.cancelled() => Err(no_port()),
    };
    output::progress("marketplace", "stopping (Ctrl-C again stops at once)");
    let stopped = host.stop(DRAIN_LIMIT).await;
    ended?;
    Ok(stopped?)
}

fn no_port() -> anyhow::Error {
    anyhow::anyhow!(
        "a service has lost its port to another process, as it says above; stop that one, or move all ports \
         (--port-offset N)"
    )
}

/// Whether what `/readyz` says comes from a process of this start.
fn is_of(body: &str, instance: &str) -> bool {
    let report: Option<serde_json::Value> = serde_json::from_str(body).ok();
    report.is_some_and(|report| report["instance"] == instance)
}

/// Waits until the router, and every process beside it, says that it is ready.
async fn wait_ready(settings: &Settings, separate: bool) -> anyhow::Result<()> {
    let mut waiting = vec![("the router", settings.router.listen)];
    if separate {
        waiting.extend([
            ("the cart service", settings.subgraphs.cart_listen),
            ("the order service", settings.subgraphs.loms_listen),
            ("the comments service", settings.subgraphs.comments_listen),
            ("the product service", settings.product.listen),
        ]);
    }
    let deadline = Instant::now() + settings.up.ready_timeout;
    for (what, address) in waiting {
        loop {
            let response = http::get(address, "/readyz").await;
            if let Some((200, body)) = &response
                && is_of(body, &settings.up.instance)
            {
                break;
            }
            if Instant::now() >= deadline {
                let limit = settings.up.ready_timeout;
                let reason = response.map_or_else(
                    || "does not respond".to_owned(),
                    |(status, body)| match status {
                        200 => "is answered by a process that this `up` has not started".to_owned(),
                        status => format!("responds with {status}: {body}"),
                    },
                );
                bail!("{what} is not ready after {limit:?}; http://{address}/readyz {reason}");
            }
            sleep(Duration::from_millis(30)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second `up` on the same ports was once ready by the first one's answers.
    #[test]
    fn another_marketplace_on_the_port_is_not_taken_for_this_one() {
        assert!(is_of(r#"{"ready":true,"instance":"one"}"#, "one"));
        for foreign in [
            r#"{"ready":true,"instance":"two"}"#,
            r#"{"ready":true}"#,
            "ok",
        ] {
            assert!(!is_of(foreign, "one"), "{foreign}");
        }
    }
}
