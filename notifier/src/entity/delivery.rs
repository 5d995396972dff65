//! Table `deliveries`.

use sea_orm::entity::prelude::*;

/// The effect of an event: a notification, which a sink has taken once `delivered_at` is set.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    #[sea_orm(unique)]
    pub(crate) event_id: Uuid,
    pub(crate) order_id: i64,
    pub(crate) user_id: i64,
    pub(crate) version: i32,
    #[sea_orm(column_type = "Text")]
    pub(crate) status: String,
    pub(crate) moment: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) traceparent: Option<String>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) delivered_at: Option<DateTimeUtc>,
    pub(crate) attempts: i32,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(
        belongs_to = "super::inbox::Entity",
        from = "Column::EventId",
        to = "super::inbox::Column::EventId"
    )]
    Inbox,
}

impl Related<super::inbox::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Inbox.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
