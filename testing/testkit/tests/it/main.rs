//! The test services as the tests use them.

use migrations::Database;
use sea_orm::ConnectionTrait as _;
use testkit::{TestTokens, database, topic};

#[tokio::test]
async fn two_tests_never_share_a_database() {
    let (first, second) = tokio::join!(database(Database::Notifier), database(Database::Notifier));
    first
        .db
        .execute_unprepared("create table mine (n int)")
        .await
        .unwrap();
    assert!(
        second
            .db
            .execute_unprepared("select * from mine")
            .await
            .is_err()
    );
    for made in [&first, &second] {
        let status = migrations::status(&made.db, Database::Notifier)
            .await
            .unwrap();
        assert!(status.iter().all(|(_, applied)| *applied), "{status:?}");
    }
}

#[tokio::test]
async fn every_migration_goes_down_and_up_again() {
    for kind in [
        Database::Loms,
        Database::Cart,
        Database::Comments,
        Database::Notifier,
    ] {
        let made = database(kind).await;
        migrations::down(&made.db, kind).await.unwrap();
        let status = migrations::status(&made.db, kind).await.unwrap();
        assert!(status.iter().all(|(_, applied)| !applied), "{status:?}");
        migrations::up(&made.db, kind).await.unwrap();
    }
}

/// A step back to the version before.
#[tokio::test]
async fn what_a_newer_version_has_migrated_stays_and_the_rest_is_applied() {
    let made = database(Database::Loms).await;
    let newer = "alter table orders add column note text;
                 insert into seaql_migrations values ('loms/9999_future', 1)";
    made.db.execute_unprepared(newer).await.unwrap();
    let left = migrations::up(&made.db, Database::Loms).await.unwrap();
    assert_eq!(left, ["loms/9999_future"]);
    let status = migrations::status(&made.db, Database::Loms).await.unwrap();
    assert!(status.iter().all(|(_, applied)| *applied), "{status:?}");
    let down = migrations::down(&made.db, Database::Loms).await;
    assert!(down.is_err(), "nobody here knows how to take it back");
    let note = "select note from orders";
    made.db.execute_unprepared(note).await.unwrap();
}

#[tokio::test]
async fn a_topic_is_there_when_it_is_given_out() {
    assert_ne!(topic(2).await, topic(2).await);
}

#[test]
fn a_test_token_is_believed_by_its_verifier_alone() {
    let (ours, others) = (TestTokens::default(), TestTokens::default());
    let token = ours.customer(7);
    assert_eq!(
        ours.verifier
            .verify(token.expose())
            .unwrap()
            .user
            .unwrap()
            .get(),
        7
    );
    assert!(others.verifier.verify(token.expose()).is_err());
}
