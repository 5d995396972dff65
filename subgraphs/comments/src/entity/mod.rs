//! SeaORM entities, one table a file; named by nothing outside `store.rs`.

pub(crate) mod comment;

#[cfg(test)]
mod tests {
    use testkit::assert_entity_matches;

    use super::*;

    #[tokio::test]
    async fn the_entity_is_its_table_as_migrated() {
        let database = testkit::database(migrations::Database::Comments).await;
        assert_entity_matches(&database.db, comment::Entity).await;
    }
}
