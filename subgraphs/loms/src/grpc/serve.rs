//! The handlers, once for each name of the service, and the server around them.

use ::schema::proto::{
    alias::loms_server::{Loms as Alias, LomsServer as AliasServer},
    loms::{
        OrderCancelRequest, OrderCancelResponse, OrderCreateRequest, OrderCreateResponse,
        OrderInfoRequest, OrderInfoResponse, OrderPayRequest, OrderPayResponse, StocksInfoRequest,
        StocksInfoResponse,
        loms_server::{Loms, LomsServer},
    },
};
use chassis::{
    grpc::{Bounds, ReflectionError, Reporter},
    listen,
    tasks::Tasks,
};
use idempotency::{KEY_HEADER, grpc::response};
use tokio::net::TcpListener;
use tonic::{Request, Response, metadata::MetadataMap};

use super::{Failure, Invalid};
use crate::{
    access::{Access, Caller},
    config::Config,
    order::{self, Orders},
    stock::{self, Stocks},
};

/// The names of the service.
const NAMES: [&str; 2] = ["loms.Loms", "Loms"];

/// The handlers.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    orders: Orders,
    stocks: Stocks,
}

impl Server {
    pub(crate) const fn new(orders: Orders, stocks: Stocks) -> Self {
        Self { orders, stocks }
    }

    async fn create(
        &self,
        request: Request<OrderCreateRequest>,
    ) -> Result<Response<OrderCreateResponse>, Failure> {
        let (metadata, _, request) = request.into_parts();
        let created = order::grpc::create(&self.orders, caller(&metadata)?, request).await?;
        Ok(response(created))
    }

    async fn info(
        &self,
        request: Request<OrderInfoRequest>,
    ) -> Result<Response<OrderInfoResponse>, Failure> {
        let order_id = request.into_inner().order_id;
        let id = order::grpc::order_id(order_id, "OrderInfoRequest.OrderId")?;
        let info = order::grpc::info(&self.orders, id).await?;
        Ok(Response::new(info))
    }

    async fn pay(
        &self,
        request: Request<OrderPayRequest>,
    ) -> Result<Response<OrderPayResponse>, Failure> {
        let (metadata, _, request) = request.into_parts();
        let id = order::grpc::order_id(request.order_id, "OrderPayRequest.OrderId")?;
        let paid = self.orders.pay(&caller(&metadata)?, id).await?;
        order::grpc::done(&paid)?;
        Ok(response(paid.map(|_| OrderPayResponse {})))
    }

    async fn cancel(
        &self,
        request: Request<OrderCancelRequest>,
    ) -> Result<Response<OrderCancelResponse>, Failure> {
        let (metadata, _, request) = request.into_parts();
        let id = order::grpc::order_id(request.order_id, "OrderCancelRequest.OrderId")?;
        let cancelled = self.orders.cancel(&caller(&metadata)?, id).await?;
        order::grpc::done(&cancelled)?;
        Ok(response(cancelled.map(|_| OrderCancelResponse {})))
    }

    async fn stock(
        &self,
        request: Request<StocksInfoRequest>,
    ) -> Result<Response<StocksInfoResponse>, Failure> {
        let stock = stock::grpc::info(&self.stocks, request.into_inner().sku).await?;
        Ok(Response::new(stock))
    }
}

chassis::serve_under_names!(Server as Loms, Alias: {
    order_create(OrderCreateRequest) -> OrderCreateResponse = create;
    order_info(OrderInfoRequest) -> OrderInfoResponse = info;
    order_pay(OrderPayRequest) -> OrderPayResponse = pay;
    order_cancel(OrderCancelRequest) -> OrderCancelResponse = cancel;
    stocks_info(StocksInfoRequest) -> StocksInfoResponse = stock;
});

/// The caller as its metadata describes it: a client of the compatibility profile, which may change any order.
fn caller(metadata: &MetadataMap) -> Result<Caller, Failure> {
    let bad_key = |bad| Invalid(format!("invalid metadata {KEY_HEADER}: {bad}"));
    Ok(Caller {
        key: idempotency::grpc::key(metadata).map_err(bad_key)?,
        traceparent: chassis::grpc::traceparent(metadata).map(str::to_owned),
        ..Caller::plain(Access::Everybody)
    })
}

/// Takes the port, which other machines reach only if a setting says so: the caller's user is believed.
pub(crate) async fn listen(config: &Config) -> Result<TcpListener, listen::Error> {
    let (address, setting) = (config.grpc_listen, "loms.grpc_listen");
    let is_allowed = config.beyond_loopback_enabled;
    listen::check_reach(address, setting, is_allowed, "loms.beyond_loopback_enabled")?;
    listen::bind(address, setting).await
}

/// Serves until the tasks' token; calls in flight end first. The reporter lets the probe tell gRPC's health.
pub(crate) fn serve(
    server: Server,
    listener: TcpListener,
    config: &Config,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let bounds = Bounds::new(config.grpc_calls, config.call_timeout);
    let bytes = config.grpc_message_bytes;
    let packaged = LomsServer::new(server.clone()).max_decoding_message_size(bytes);
    let alias = AliasServer::new(server).max_decoding_message_size(bytes);
    let routes = chassis::grpc::server()
        .add_service(bounds.around(packaged))
        .add_service(bounds.around(alias));
    chassis::grpc::serve("loms grpc", &NAMES, routes, listener, tasks)
}
