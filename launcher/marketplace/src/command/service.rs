//! One service in a process of its own, as `up --processes` and a container run it.

use std::time::Duration;

use crate::cli::Command;
use crate::services::ServiceHost;
use crate::settings::Settings;
use crate::signals::StopSignals;

/// How long a service may take to finish its work.
const DRAIN_LIMIT: Duration = Duration::from_millis(3_500);

/// Starts the one service that `command` names and runs it until a signal.
///
/// # Errors
/// When it does not start, or a task of it does not stop.
pub(crate) async fn run(settings: Settings, command: &Command) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let host = ServiceHost::new(settings)?;
    let outcome = tokio::select! {
        outcome = start(&host, command) => outcome,
        () = signals.next() => return Ok(()),
    };
    if outcome.is_ok() {
        signals.next().await;
    }
    host.announce_drain().await;
    let stopped = host.stop(DRAIN_LIMIT).await;
    outcome?;
    Ok(stopped?)
}

async fn start(host: &ServiceHost, command: &Command) -> anyhow::Result<()> {
    let listens = &host.settings.subgraphs;
    match command {
        Command::ProductService => host.start_product().await,
        Command::Notifier => {
            host.start_notifier().await?;
            let listen = host.settings.notifier.admin_listen;
            host.serve_admin("notifier admin", listen, "notifier.admin_listen")
                .await
        }
        Command::Router => host.start_router(host.separate_subgraphs()?).await,
        Command::Cart => {
            let subgraph = host.start_cart().await?;
            host.serve_subgraph(
                "cart",
                subgraph,
                listens.cart_listen,
                "subgraphs.cart_listen",
            )
            .await
        }
        Command::Loms => {
            let subgraph = host.start_loms().await?;
            host.serve_subgraph(
                "loms",
                subgraph,
                listens.loms_listen,
                "subgraphs.loms_listen",
            )
            .await
        }
        Command::Comments => {
            let subgraph = host.start_comments().await?;
            host.serve_subgraph(
                "comments",
                subgraph,
                listens.comments_listen,
                "subgraphs.comments_listen",
            )
            .await
        }
        Command::Up(_)
        | Command::Status(_)
        | Command::Stop(_)
        | Command::Open(_)
        | Command::Logs(_)
        | Command::Token(_)
        | Command::Migrate(_)
        | Command::Seed
        | Command::Doctor(_)
        | Command::CleanData
        | Command::Load(_)
        | Command::DeadLetters(_)
        | Command::Verify(_)
        | Command::Resend
        | Command::Completions(_)
        | Command::Config(_)
        | Command::Sdl(_)
        | Command::Openapi(_) => Ok(()),
    }
}
