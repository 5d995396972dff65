//! Stock in the graph.

use ::schema::id::Sku;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chassis::{
    fault,
    graphql::{UserError, principal},
    principal::Denied,
};
use idempotency::{Recorded, graphql::mark};
use loms_domain::stock::StockRow;

use super::{SetStock, Stocks, loader::StockLoader};
use crate::graphql::{MutationError, caller};

/// What can be asked of stock.
#[derive(Debug, Default)]
pub(crate) struct StockQuery;

#[Object]
impl StockQuery {
    /// The stock of a SKU, also of one that the catalogue does not know; null when none is kept.
    async fn stock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The SKU.")] sku: ID,
    ) -> Result<Option<Stock>> {
        let Ok(sku) = sku.parse::<Sku>() else {
            return Ok(None);
        };
        find(ctx, sku).await
    }

    /// A product by its key, with its stock.
    #[graphql(entity)]
    async fn find_product(&self, sku: ID) -> Option<Product> {
        sku.parse::<Sku>().ok().map(Product)
    }
}

async fn find(ctx: &Context<'_>, sku: Sku) -> Result<Option<Stock>> {
    let found = ctx
        .data::<StockLoader>()?
        .load_one(sku)
        .await
        .map_err(fault::graphql)?;
    Ok(found.map(|found| Stock {
        row: found.stock.0,
        version: found.version,
    }))
}

/// A product of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product(pub(crate) Sku);

/// A product of the catalogue.
#[Object]
impl Product {
    /// Its SKU.
    async fn sku(&self) -> ID {
        ID(self.0.to_string())
    }

    /// Its stock; null when none is kept.
    async fn stock(&self, ctx: &Context<'_>) -> Result<Option<Stock>> {
        find(ctx, self.0).await
    }
}

/// The stock of a product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stock {
    row: StockRow,
    version: u32,
}

/// The stock of a product.
#[Object]
impl Stock {
    /// Units that can be ordered now: total less reserved, never below 0.
    async fn available(&self) -> i32 {
        int(self.row.free())
    }

    /// How often `available` has changed: the version of the last event of `stockEvents`, 0 before the first.
    async fn version(&self) -> i32 {
        int(self.version.into())
    }

    /// Units on hand; needs scope `ops`. Without it the field alone is null, with an error `FORBIDDEN`.
    async fn total(&self, ctx: &Context<'_>) -> Option<i32> {
        for_ops(ctx, self.row.total)
    }

    /// Units promised to orders that await payment; needs scope `ops`. Without it the field alone is null, with an error
    /// `FORBIDDEN`.
    async fn reserved(&self, ctx: &Context<'_>) -> Option<i32> {
        for_ops(ctx, self.row.reserved)
    }
}

/// No loss: the ledger's bound is that of GraphQL's Int.
fn int(units: i64) -> i32 {
    i32::try_from(units).unwrap_or(i32::MAX)
}

/// The units for an operator. For anybody else null with an error: a plain `Err` would leave the field out.
fn for_ops(ctx: &Context<'_>, units: i64) -> Option<i32> {
    match ops(ctx) {
        Ok(()) => Some(int(units)),
        Err(error) => {
            ctx.add_error(ctx.set_error_path(error.into_server_error(ctx.item.pos)));
            None
        }
    }
}

fn ops(ctx: &Context<'_>) -> Result<()> {
    if principal(ctx)?.is_ops() {
        Ok(())
    } else {
        Err(fault::graphql(Denied::Forbidden))
    }
}

/// The new stock of a product.
#[derive(Debug, InputObject)]
pub(crate) struct SetStockInput {
    /// The product.
    sku: ID,
    /// Units on hand, at least 0 and not below what orders hold reserved.
    total: i32,
    /// Refuse with STALE_STOCK unless this is the total now.
    expected_total: Option<i32>,
    /// 1 to 255 characters; a repeat with the same key and input gets the first response. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// The product after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct StockPayload {
    /// The product; null when refused.
    product: Option<Product>,
    /// What the caller can mend; empty on success.
    user_errors: Vec<UserError>,
}

/// The changes of stock.
#[derive(Debug, Default)]
pub(crate) struct StockMutation;

#[Object]
impl StockMutation {
    /// Sets the units on hand of a product; needs scope `ops`.
    async fn set_stock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new stock.")] input: SetStockInput,
    ) -> Result<StockPayload> {
        StockPayload::of(ctx, set(ctx, input).await)
    }
}

async fn set(
    ctx: &Context<'_>,
    input: SetStockInput,
) -> Result<Recorded<super::Stock>, MutationError> {
    ops(ctx)?;
    let caller = caller(ctx, input.idempotency_key)?;
    let sku = input.sku.parse().map_err(|_| {
        MutationError::invalid(["sku"], &"sku must be a whole number greater than 0")
    })?;
    let set = SetStock {
        sku,
        total: i64::from(input.total),
        expected: input.expected_total.map(i64::from),
    };
    let done = ctx.data::<Stocks>()?.set(&caller, set).await;
    done.map_err(MutationError::of)
}

impl StockPayload {
    fn of(ctx: &Context<'_>, set: Result<Recorded<super::Stock>, MutationError>) -> Result<Self> {
        match set {
            Ok(recorded) => Ok(Self {
                product: Some(Product(mark(ctx, recorded).0.sku)),
                user_errors: Vec::new(),
            }),
            Err(MutationError::Refused(error)) => Ok(Self {
                product: None,
                user_errors: vec![error],
            }),
            Err(MutationError::Failed(error)) => Err(error),
        }
    }
}
