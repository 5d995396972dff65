use std::path::Path;

use dev_services::Progress;
use dev_services::account::Account;
use dev_services::child::STOP_LIMIT;
use dev_services::environment;
use dev_services::postgres::{Cluster, Durability, Settings, answers};
use dev_services::state::StateDir;

pub(crate) fn settings(state: &StateDir) -> Settings {
    let account = Account::for_postgres().unwrap();
    Settings {
        dir: state.for_account("postgres", account).unwrap(),
        log: state.log("postgres"),
        port: 0,
        pg_bin: environment::pg_bin(),
        cache: environment::cache_dir().unwrap(),
        account,
        durability: Durability::Fsync,
        cleanup: None,
    }
}

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/stat")).exists()
}

#[tokio::test]
async fn a_cluster_keeps_its_data_over_a_restart_and_ends_when_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(&dir.path().join("state")).unwrap();
    let first = Cluster::start(settings(&state), &Progress::silent())
        .await
        .unwrap();
    run(
        first.url(),
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)",
    )
    .await;
    let (pid, url) = (first.pid(), first.url().to_owned());
    first.stop(STOP_LIMIT).await;
    assert!(!is_running(pid));
    assert!(!answers(&url).await);

    let second = Cluster::start(settings(&state), &Progress::silent())
        .await
        .unwrap();
    run(second.url(), "SELECT n / (n - 6) FROM kept").await;
    second.stop(STOP_LIMIT).await;
    std::fs::remove_dir_all(state.system()).ok();
}

async fn run(url: &str, sql: &'static str) {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
