//! A Postgres that may lose what it acknowledged is told at the start, and production does not start on it.

use std::path::Path;

use chassis::durability::{Risk, risks};
use chassis::postgres;
use marketplace::cli::Common;
use marketplace::services::ServiceHost;
use marketplace::settings::{Profile, Settings};
use migrations::Database;
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use testkit::TestDatabase;

/// A notifier's database with these settings for its sessions.
async fn database(overrides: &[&str]) -> TestDatabase {
    let database = testkit::database(Database::Notifier).await;
    for setting in overrides {
        let alter = format!("alter database \"{}\" set {setting}", database.name);
        database.db.execute_unprepared(&alter).await.unwrap();
    }
    database
}

/// What a new session says of `synchronous_commit`; the tests' server has the other two off as well.
async fn commit_risk(database: &TestDatabase) -> Option<Risk> {
    let db = postgres::connect(&database.config(), &database.name)
        .await
        .unwrap();
    let risks = risks(&db).await.unwrap();
    db.close().await.unwrap();
    risks
        .into_iter()
        .find(|risk| risk.setting == "synchronous_commit")
}

/// A process of this profile with the notifier on this database.
async fn host(folder: &Path, profile: Profile, database: &TestDatabase) -> ServiceHost {
    let common = Common {
        state_dir: Some(folder.join("state")),
        ..Common::default()
    };
    let mut settings = Settings::load(&common).unwrap();
    settings.postgres = database.config();
    settings.notifier.database.clone_from(&database.name);
    testkit::kafka()
        .await
        .clone_into(&mut settings.kafka.brokers);
    settings.kafka.topic = testkit::topic(1).await;
    settings.notifier.group = testkit::unique("durability");
    // The tokens of the demo do for a process that is asked nothing.
    let mut host = ServiceHost::new(settings).unwrap();
    host.settings.profile = profile;
    host
}

#[tokio::test]
async fn what_a_database_overrides_is_what_counts() {
    let on = database(&["synchronous_commit = on"]).await;
    assert_eq!(commit_risk(&on).await, None);
    let off = database(&["synchronous_commit = off"]).await;
    let risk = commit_risk(&off).await.unwrap();
    assert_eq!(
        (risk.source.as_str(), &risk.database),
        ("database", &off.name)
    );
    let mend = format!("ALTER DATABASE {} RESET synchronous_commit", off.name);
    assert!(risk.told().contains(&mend), "{}", risk.told());
    for setting in ["local", "remote_write"] {
        let kept = database(&[&format!("synchronous_commit = {setting}")]).await;
        assert_eq!(commit_risk(&kept).await, None, "the own disk has it");
    }
}

#[tokio::test]
async fn production_does_not_start_on_a_server_that_loses_and_the_demo_does() {
    let folder = TempDir::new().unwrap();
    let off = database(&["synchronous_commit = off"]).await;
    let production = host(folder.path(), Profile::Production, &off).await;
    let refused = production.start_notifier().await.unwrap_err().to_string();
    assert!(
        refused.contains(" = off") && refused.contains("mend it with"),
        "{refused}"
    );
    let demo = host(folder.path(), Profile::Demo, &off).await;
    demo.start_notifier().await.unwrap();
    demo.stop(std::time::Duration::from_secs(10)).await.unwrap();
}

/// As containers and pods have it: an address without a user, and the role's own password.
#[tokio::test]
async fn a_service_that_has_a_role_of_its_own_asks_as_that_role() {
    let folder = TempDir::new().unwrap();
    let off = database(&["synchronous_commit = off"]).await;
    let password = testkit::unique("password");
    let config = off.config();
    migrations::set_passwords(config.url.expose(), &[(Database::Notifier, &password)])
        .await
        .unwrap();
    let mut production = host(folder.path(), Profile::Production, &off).await;
    let mut server = url::Url::parse(config.url.expose()).unwrap();
    server.set_username("").unwrap();
    server.set_password(None).unwrap();
    production.settings.postgres.url = String::from(server).into();
    production.settings.database_roles.notifier = password.into();
    let refused = production.start_notifier().await.unwrap_err().to_string();
    assert!(refused.contains("mend it with"), "{refused}");
}
