//! Table `webhook_queue`.

use sea_orm::entity::prelude::*;

/// An event that the webhook's receiver has not taken yet.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_queue")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) event_id: Uuid,
    pub(crate) order_id: i64,
    pub(crate) version: i32,
    pub(crate) attempts: i32,
    pub(crate) refusals: i32,
    /// When it may be posted next; a lease moves it on.
    pub(crate) due_at: DateTimeUtc,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::delivery::Entity",
        from = "Column::EventId",
        to = "super::delivery::Column::EventId"
    )]
    Delivery,
}

impl Related<super::delivery::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Delivery.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
