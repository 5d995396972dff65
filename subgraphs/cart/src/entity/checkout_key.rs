//! Table `checkout_keys`.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "checkout_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) idempotency_key: String,
    pub(crate) checkout_id: Uuid,
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
