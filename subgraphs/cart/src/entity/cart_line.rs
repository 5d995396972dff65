//! Table `cart_lines`.

use ::schema::id::{Quantity, Sku};
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cart_lines")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) sku: i64,
    pub(crate) count: i64,
}

impl Model {
    /// The row as the domain names it.
    pub(crate) fn line(&self) -> (Sku, Quantity) {
        let sku = Sku::try_from(self.sku).expect("the table checks that a sku is above 0");
        let count = Quantity::try_from(self.count).expect("the table checks 1 to 2^32 - 1");
        (sku, count)
    }
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::cart::Entity",
        from = "Column::UserId",
        to = "super::cart::Column::UserId"
    )]
    Cart,
}

impl ActiveModelBehavior for ActiveModel {}
