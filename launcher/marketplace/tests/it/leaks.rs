//! Started and stopped over and over, with clients connected, the marketplace leaves nothing: no task, no database
//! session, no socket, no file, no thread.

use std::path::Path;
use std::time::{Duration, Instant};

use chassis::config::Secret;
use chassis::{kafka, postgres};
use marketplace::cli::Common;
use marketplace::services::ServiceHost;
use marketplace::settings::Settings;
use sea_orm::DatabaseConnection;
use tempfile::TempDir;
use testkit::{eventually, free_offset, postgres_url, unique};

use crate::clients::Clients;
use crate::held::Held;

const ROUNDS: usize = 4;
/// How long tasks may take to end, and what they held to be given back.
const LIMIT: Duration = Duration::from_secs(20);
const INNER: &str = "leaks::rounds_in_a_process_of_their_own";

#[test]
fn starting_and_stopping_four_times_leaves_nothing_behind() {
    let rounds = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", INNER, "--include-ignored", "--nocapture"])
        .status()
        .unwrap();
    assert!(rounds.success(), "{rounds}");
}

#[test]
#[ignore = "the test above runs it where nobody else opens a file or starts a thread"]
fn rounds_in_a_process_of_their_own() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(100))
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let (settings, server) = prepare(folder.path()).await;
        let before = Held::count(&server).await;
        let mut after_first = None;
        for round in 1..=ROUNDS {
            start_and_stop(&settings).await;
            // What the process makes once and keeps (the runtime's signal sockets, an event queue) is there after
            // round 1; tasks, sessions and Kafka's threads are not there even then.
            let allowed = after_first.unwrap_or(Held {
                sockets: usize::MAX,
                files: usize::MAX,
                threads: usize::MAX,
                ..before
            });
            after_first = Some(settled(&server, round, &allowed).await);
        }
    });
}

/// Waits until no more is held than allowed; what is held then.
async fn settled(server: &DatabaseConnection, round: usize, allowed: &Held) -> Held {
    let mut last = Held::default();
    let deadline = Instant::now() + LIMIT;
    eventually("all is given back", LIMIT + LIMIT, async || {
        last = Held::count(server).await;
        assert!(
            last.is_within(allowed) || Instant::now() < deadline,
            "round {round} holds {last:?}, allowed is {allowed:?}"
        );
        last.is_within(allowed).then_some(last)
    })
    .await
}

async fn start_and_stop(settings: &Settings) {
    let host = ServiceHost::new(settings.clone()).unwrap();
    host.start_all().await.unwrap();
    eventually("every service is ready", LIMIT * 3, async || {
        host.health.is_ready().then_some(())
    })
    .await;
    let clients = Clients::connect(settings).await;
    host.stop(LIMIT / 2).await.expect("every task stops");
    drop(clients);
}

/// Databases, topic and settings of a marketplace, and a connection for counting.
async fn prepare(folder: &Path) -> (Settings, DatabaseConnection) {
    chassis::tls::install();
    let common = Common {
        state_dir: Some(folder.join("state")),
        port_offset: Some(free_offset()),
        ..Common::default()
    };
    let mut settings = Settings::load(&common).unwrap();
    settings.postgres.url = Secret::new(postgres_url().await.to_owned());
    testkit::kafka()
        .await
        .clone_into(&mut settings.kafka.brokers);
    settings.kafka.topic = unique("leaks");
    settings.notifier.group = unique("leaks");
    kafka::ensure_topic(&settings.kafka).await.unwrap();
    let url = settings.postgres.url.expose();
    migrations::create_databases(url).await.unwrap();
    for (name, database) in migrations::DATABASES {
        let db = postgres::connect(&settings.postgres, name).await.unwrap();
        migrations::up(&db, database).await.unwrap();
        if name == "loms" {
            loms::seed(&db).await.unwrap();
        }
        db.close().await.unwrap();
    }
    let server = postgres::connect(&settings.postgres, "postgres").await;
    (settings, server.unwrap())
}
