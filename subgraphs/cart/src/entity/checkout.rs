//! Table `checkouts`.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "checkouts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) user_id: i64,
    pub(crate) state: State,
    pub(crate) order_id: Option<i64>,
    /// What the customer reads whose own limit was reached; nothing where stock was short.
    pub(crate) over_limit: Option<String>,
    /// Of which product there was too little, as `schema::shortage` writes it.
    pub(crate) short: Option<String>,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(crate) enum State {
    #[sea_orm(string_value = "open")]
    Open,
    #[sea_orm(string_value = "ordered")]
    Ordered,
    #[sea_orm(string_value = "out_of_stock")]
    OutOfStock,
    #[sea_orm(string_value = "cart_empty")]
    CartEmpty,
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
