//! SeaORM entities, one table a file; named by nothing outside the stores.

pub(crate) mod cart;
pub(crate) mod cart_line;
pub(crate) mod checkout;
pub(crate) mod checkout_key;
pub(crate) mod checkout_line;

#[cfg(test)]
mod tests {
    use testkit::assert_entity_matches;

    use super::*;

    #[tokio::test]
    async fn every_entity_is_its_table_as_migrated() {
        let database = testkit::database(migrations::Database::Cart).await;
        assert_entity_matches(&database.db, cart::Entity).await;
        assert_entity_matches(&database.db, cart_line::Entity).await;
        assert_entity_matches(&database.db, checkout::Entity).await;
        assert_entity_matches(&database.db, checkout_key::Entity).await;
        assert_entity_matches(&database.db, checkout_line::Entity).await;
    }
}
