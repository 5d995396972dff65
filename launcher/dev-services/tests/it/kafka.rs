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
    }
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
