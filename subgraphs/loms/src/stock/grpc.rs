//! Stock over gRPC. Source: docs/contracts.md §3, rows StocksInfo and StocksList.

use ::schema::{
    id::Sku,
    proto::loms::{StocksInfoResponse, StocksListResponse, stocks_list_response::Stock as Row},
};
use loms_domain::stock::StockRow;

use super::Stocks;
use crate::grpc::{Failure, Invalid};

/// The most SKUs of one list.
pub(crate) const MAX_LIST: usize = 5_000;

/// Free units of a SKU: total less reserved, never below 0.
pub(crate) async fn info(stocks: &Stocks, sku: i64) -> Result<StocksInfoResponse, Failure> {
    let sku = Sku::try_from(sku).map_err(|_| Invalid::not_positive("StocksInfoRequest.Sku"))?;
    let stock = stocks.find(sku).await?.ok_or(Failure::NoStock)?;
    Ok(StocksInfoResponse {
        count: count(&stock.0),
    })
}

/// Free units of many SKUs with one statement, ascending by SKU; one without stock is left out.
pub(crate) async fn list(stocks: &Stocks, skus: &[i64]) -> Result<StocksListResponse, Failure> {
    if !(1..=MAX_LIST).contains(&skus.len()) {
        let found = skus.len();
        return Err(Invalid(format!(
            "invalid StocksListRequest.Skus: value must contain 1 to {MAX_LIST} item(s), and has {found}"
        ))
        .into());
    }
    let skus = skus.iter().enumerate().map(|(index, sku)| {
        let field = || format!("StocksListRequest.Skus[{index}]");
        Sku::try_from(*sku).map_err(|_| Invalid::not_positive(&field()))
    });
    let skus: Vec<Sku> = skus.collect::<Result<_, _>>()?;
    let mut found = stocks.find_many(&skus).await?;
    found.sort_by_key(|counted| counted.stock.0.sku);
    let row = |super::Counted { stock, .. }: &super::Counted| Row {
        sku: stock.0.sku.get(),
        count: count(&stock.0),
    };
    Ok(StocksListResponse {
        stocks: found.iter().map(row).collect(),
    })
}

/// No loss: the ledger's bound is below that of the contract.
fn count(stock: &StockRow) -> u32 {
    u32::try_from(stock.free()).unwrap_or(u32::MAX)
}

impl From<super::Error> for Failure {
    fn from(error: super::Error) -> Self {
        Self::Stock(error)
    }
}
