//! Table `inbox`.

use sea_orm::entity::prelude::*;

/// An event that has its effect in this database.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) event_id: Uuid,
    pub(crate) order_id: i64,
    pub(crate) version: i32,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) received_at: DateTimeUtc,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
