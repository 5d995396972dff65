//! Table `stocks`: the units of a SKU, how often those that can be ordered changed, and the baselines that the ledger is checked
//! against.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stocks")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) sku: i64,
    pub(crate) total: i64,
    pub(crate) reserved: i64,
    pub(crate) seeded_over: bool,
    pub(crate) baseline_total: i64,
    pub(crate) baseline_reserved: i64,
    pub(crate) version: i32,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
