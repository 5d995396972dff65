use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use dev_services::child::STOP_LIMIT;
use dev_services::kafka::{Kafka, Settings, answers_metadata};
use dev_services::state::StateDir;
use dev_services::{Progress, environment};

fn settings(state: &StateDir) -> Settings {
    Settings {
        dir: state.root().join("kafka"),
        log: state.log("kafka"),
        port: 0,
        cache: environment::cache_dir().unwrap(),
        cleanup: None,
        member: None,
    }
}

/// Events tell of orders.
#[tokio::test]
async fn nobody_else_looks_into_the_brokers_data() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let folder = state.root().join("kafka");
    // One of a version that was not as careful.
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let progress = Progress::silent();
    let kafka = Kafka::start(settings(&state), &progress).await.unwrap();
    assert!(folder.join("data").is_dir(), "its data is in there");
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{mode:o}");
    kafka.stop(STOP_LIMIT).await;
}

#[tokio::test]
async fn a_killed_broker_comes_back_on_its_port() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let mut kafka = Kafka::start(settings(&state), &Progress::silent())
        .await
        .unwrap();
    let brokers = kafka.brokers().to_owned();
    kafka.kill().await;
    assert!(!answers_metadata(&brokers).await);
    kafka.restart().await.unwrap();
    assert!(answers_metadata(&brokers).await);
    kafka.stop(STOP_LIMIT).await;
    assert!(!answers_metadata(&brokers).await);
}
