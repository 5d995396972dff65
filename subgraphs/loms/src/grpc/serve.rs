//! The handlers, once for each name of the service, and the server around them.

use std::sync::Arc;

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
    tasks::Tasks,
};
use idempotency::{KEY_HEADER, Recorded, grpc::response};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{Failure, Invalid};
use crate::{
    access::{Access, Caller},
    config::Config,
    order::{self, Orders},
    stock::{self, Stocks},
};

/// The names of the service.
const NAMES: [&str; 2] = ["loms.Loms", "Loms"];

/// The handlers. Clones share the bounds.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    orders: Orders,
    stocks: Stocks,
    bounds: Arc<Bounds>,
}

impl Server {
    pub(crate) fn new(orders: Orders, stocks: Stocks, config: &Config) -> Self {
        let bounds = Arc::new(Bounds::new(config.grpc_calls, config.call_timeout));
        Self {
            orders,
            stocks,
            bounds,
        }
    }

    async fn run<T>(
        &self,
        metadata: &MetadataMap,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Status> {
        self.bounds.run(metadata, call).await
    }

    async fn create(
        &self,
        request: Request<OrderCreateRequest>,
    ) -> Result<Response<OrderCreateResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let create = async { order::grpc::create(&self.orders, caller(&metadata)?, request).await };
        self.run(&metadata, create).await.map(response)
    }

    async fn info(
        &self,
        request: Request<OrderInfoRequest>,
    ) -> Result<Response<OrderInfoResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let info = async {
            let id = order::grpc::order_id(request.order_id, "OrderInfoRequest.OrderId")?;
            order::grpc::info(&self.orders, id).await
        };
        self.run(&metadata, info).await.map(Response::new)
    }

    async fn pay(
        &self,
        request: Request<OrderPayRequest>,
    ) -> Result<Response<OrderPayResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let pay = async {
            let id = order::grpc::order_id(request.order_id, "OrderPayRequest.OrderId")?;
            let paid = self.orders.pay(&caller(&metadata)?, id).await?;
            order::grpc::done(&paid)?;
            Ok(Recorded {
                value: OrderPayResponse {},
                replayed: paid.replayed,
            })
        };
        self.run(&metadata, pay).await.map(response)
    }

    async fn cancel(
        &self,
        request: Request<OrderCancelRequest>,
    ) -> Result<Response<OrderCancelResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let cancel = async {
            let id = order::grpc::order_id(request.order_id, "OrderCancelRequest.OrderId")?;
            let cancelled = self.orders.cancel(&caller(&metadata)?, id).await?;
            order::grpc::done(&cancelled)?;
            Ok(Recorded {
                value: OrderCancelResponse {},
                replayed: cancelled.replayed,
            })
        };
        self.run(&metadata, cancel).await.map(response)
    }

    async fn stock(
        &self,
        request: Request<StocksInfoRequest>,
    ) -> Result<Response<StocksInfoResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let stock = stock::grpc::info(&self.stocks, request.sku);
        self.run(&metadata, stock).await.map(Response::new)
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

/// Serves until the tasks' token; calls in flight end first. The reporter lets the prober tell gRPC's health.
pub(crate) fn serve(
    server: Server,
    listener: TcpListener,
    config: &Config,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let bytes = config.grpc_message_bytes;
    let routes = chassis::grpc::server()
        .add_service(LomsServer::new(server.clone()).max_decoding_message_size(bytes))
        .add_service(AliasServer::new(server).max_decoding_message_size(bytes));
    chassis::grpc::serve("loms grpc", &NAMES, routes, listener, tasks)
}
