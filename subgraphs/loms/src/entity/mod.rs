//! SeaORM entities, one table a file; named by nothing outside `store.rs` files.

pub(crate) mod order;
pub(crate) mod stock;

#[cfg(test)]
mod tests {
    use testkit::assert_entity_matches;

    use super::*;

    #[tokio::test]
    async fn every_entity_is_its_table_as_migrated() {
        let database = testkit::database(migrations::Database::Loms).await;
        assert_entity_matches(&database.db, order::Entity).await;
        assert_entity_matches(&database.db, stock::Entity).await;
    }
}
