//! SeaORM entities, one table a file; named by nothing outside the files that hold SQL.

pub(crate) mod dead_letter;
pub(crate) mod delivery;
pub(crate) mod inbox;
pub(crate) mod webhook_queue;

#[cfg(test)]
mod tests {
    use testkit::assert_entity_matches;

    use super::*;

    #[tokio::test]
    async fn every_entity_is_its_table_as_migrated() {
        let database = testkit::database(migrations::Database::Notifier).await;
        assert_entity_matches(&database.db, dead_letter::Entity).await;
        assert_entity_matches(&database.db, delivery::Entity).await;
        assert_entity_matches(&database.db, inbox::Entity).await;
        assert_entity_matches(&database.db, webhook_queue::Entity).await;
    }
}
