//! Stock over gRPC. Source: docs/contracts.md §3, row StocksInfo.

use ::schema::{id::Sku, proto::loms::StocksInfoResponse};

use super::Stocks;
use crate::grpc::{Failure, Invalid};

/// Free units of a SKU: total less reserved, never below 0.
pub(crate) async fn info(stocks: &Stocks, sku: i64) -> Result<StocksInfoResponse, Failure> {
    let sku = Sku::try_from(sku).map_err(|_| Invalid::not_positive("StocksInfoRequest.Sku"))?;
    let stock = stocks.find(sku).await?.ok_or(Failure::NoStock)?;
    Ok(StocksInfoResponse {
        count: u32::try_from(stock.0.free()).unwrap_or(u32::MAX),
    })
}

impl From<super::Error> for Failure {
    fn from(error: super::Error) -> Self {
        Self::Stock(error)
    }
}
