//! Table `checkout_lines`.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "checkout_lines")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) checkout_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) sku: i64,
    pub(crate) count: i64,
    pub(crate) unit_price: i64,
    pub(crate) in_cart: bool,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::checkout::Entity",
        from = "Column::CheckoutId",
        to = "super::checkout::Column::Id"
    )]
    Checkout,
}

impl ActiveModelBehavior for ActiveModel {}
