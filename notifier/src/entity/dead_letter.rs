//! Table `dead_letters`.

use sea_orm::entity::prelude::*;

/// A message that could not be handled, kept whole, or an event that the webhook's receiver refused.
#[derive(Debug, Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letters")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    #[sea_orm(column_type = "Text")]
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub(crate) key: Option<Vec<u8>>,
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub(crate) value: Option<Vec<u8>>,
    #[sea_orm(column_type = "JsonBinary")]
    pub(crate) headers: Json,
    #[sea_orm(column_type = "Text")]
    pub(crate) reason: String,
    pub(crate) parked_at: DateTimeUtc,
    /// Set when the event was understood and has its effect, and the webhook's receiver refused it.
    pub(crate) refused_event: Option<Uuid>,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::delivery::Entity",
        from = "Column::RefusedEvent",
        to = "super::delivery::Column::EventId"
    )]
    RefusedDelivery,
}

impl Related<super::delivery::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::RefusedDelivery.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
