//! SeaORM entities, one table a file; only the `store` modules and the seed use them.
//!
//! A relation is declared on the side that holds the other's key, so that no two entities name each other.

pub(crate) mod order;
pub(crate) mod order_history;
pub(crate) mod order_line;
pub(crate) mod stock;

#[cfg(test)]
mod tests {
    use testkit::assert_entity_matches;

    use super::*;

    #[tokio::test]
    async fn every_entity_is_its_table_as_migrated() {
        let database = testkit::database(migrations::Database::Loms).await;
        assert_entity_matches(&database.db, order::Entity).await;
        assert_entity_matches(&database.db, order_history::Entity).await;
        assert_entity_matches(&database.db, order_line::Entity).await;
        assert_entity_matches(&database.db, stock::Entity).await;
    }
}
