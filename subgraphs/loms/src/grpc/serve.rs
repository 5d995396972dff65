//! The handlers, once for each name of the service, and the server around them.

use std::sync::Arc;

use ::schema::proto::{
    FILE_DESCRIPTOR_SET,
    alias::loms_server::{Loms as Alias, LomsServer as AliasServer},
    loms::{
        OrderCancelRequest, OrderCancelResponse, OrderCreateRequest, OrderCreateResponse,
        OrderInfoRequest, OrderInfoResponse, OrderPayRequest, OrderPayResponse, StocksInfoRequest,
        StocksInfoResponse,
        loms_server::{Loms, LomsServer},
    },
};
use chassis::tasks::Tasks;
use idempotency::Answered;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::server::{Router, TcpIncoming},
};
use tonic_health::server::HealthReporter;

use super::call::{self, Bounds};
use crate::{
    config::Config,
    order::{self, Orders},
    stock::{self, Stocks},
};

/// Streams that one connection may have open; more wait at the client.
const STREAMS: u32 = 256;

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

    async fn create(
        &self,
        request: Request<OrderCreateRequest>,
    ) -> Result<Response<OrderCreateResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let create =
            async { order::grpc::create(&self.orders, call::caller(&metadata)?, request).await };
        self.bounds.run(&metadata, create).await.map(call::answer)
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
        self.bounds.run(&metadata, info).await.map(Response::new)
    }

    async fn pay(
        &self,
        request: Request<OrderPayRequest>,
    ) -> Result<Response<OrderPayResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let pay = async {
            let id = order::grpc::order_id(request.order_id, "OrderPayRequest.OrderId")?;
            let paid = self.orders.pay(&call::caller(&metadata)?, id).await?;
            order::grpc::done(&paid)?;
            Ok(Answered {
                answer: OrderPayResponse {},
                replayed: paid.replayed,
            })
        };
        self.bounds.run(&metadata, pay).await.map(call::answer)
    }

    async fn cancel(
        &self,
        request: Request<OrderCancelRequest>,
    ) -> Result<Response<OrderCancelResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let cancel = async {
            let id = order::grpc::order_id(request.order_id, "OrderCancelRequest.OrderId")?;
            let cancelled = self.orders.cancel(&call::caller(&metadata)?, id).await?;
            order::grpc::done(&cancelled)?;
            Ok(Answered {
                answer: OrderCancelResponse {},
                replayed: cancelled.replayed,
            })
        };
        self.bounds.run(&metadata, cancel).await.map(call::answer)
    }

    async fn stock(
        &self,
        request: Request<StocksInfoRequest>,
    ) -> Result<Response<StocksInfoResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let stock = stock::grpc::info(&self.stocks, request.sku);
        self.bounds.run(&metadata, stock).await.map(Response::new)
    }
}

/// The generated traits differ in name alone.
macro_rules! handlers {
    ($service:ident) => {
        #[tonic::async_trait]
        impl $service for Server {
            async fn order_create(
                &self,
                request: Request<OrderCreateRequest>,
            ) -> Result<Response<OrderCreateResponse>, Status> {
                self.create(request).await
            }

            async fn order_info(
                &self,
                request: Request<OrderInfoRequest>,
            ) -> Result<Response<OrderInfoResponse>, Status> {
                self.info(request).await
            }

            async fn order_pay(
                &self,
                request: Request<OrderPayRequest>,
            ) -> Result<Response<OrderPayResponse>, Status> {
                self.pay(request).await
            }

            async fn order_cancel(
                &self,
                request: Request<OrderCancelRequest>,
            ) -> Result<Response<OrderCancelResponse>, Status> {
                self.cancel(request).await
            }

            async fn stocks_info(
                &self,
                request: Request<StocksInfoRequest>,
            ) -> Result<Response<StocksInfoResponse>, Status> {
                self.stock(request).await
            }
        }
    };
}

handlers!(Loms);
handlers!(Alias);

/// Serves until the tasks' token; calls in flight end first. The reporter lets the prober tell gRPC's health.
pub(crate) fn serve(
    server: Server,
    listener: TcpListener,
    config: &Config,
    tasks: &Tasks,
) -> Result<HealthReporter, tonic_reflection::server::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let bytes = config.grpc_message_bytes;
    let routes: Router = tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(std::time::Duration::from_secs(30)))
        .add_service(LomsServer::new(server.clone()).max_decoding_message_size(bytes))
        .add_service(AliasServer::new(server).max_decoding_message_size(bytes))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let token = tasks.token();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tasks.spawn("loms grpc", async move {
        let served = routes
            .serve_with_incoming_shutdown(incoming, token.cancelled_owned())
            .await;
        if let Err(error) = served {
            tracing::error!(error = %chassis::fault::chain(&error), "gRPC has stopped");
        }
    });
    Ok(reporter)
}

fn reflection<'a>() -> tonic_reflection::server::Builder<'a> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("loms.Loms")
        .with_service_name("Loms")
        .with_service_name("grpc.health.v1.Health")
}
