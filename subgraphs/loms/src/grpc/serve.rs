//! The handlers, once for each name of the service, and the server around them.

use ::schema::proto::{
    alias::loms_server::{Loms as Alias, LomsServer as AliasServer},
    loms::{
        OrderCancelRequest, OrderCancelResponse, OrderCreateRequest, OrderCreateResponse,
        OrderEventsRequest, OrderInfoRequest, OrderInfoResponse, OrderPayRequest, OrderPayResponse,
        StocksInfoRequest, StocksInfoResponse, StocksListRequest, StocksListResponse,
        loms_server::{Loms, LomsServer},
    },
};
use catalogue::Products;
use chassis::{
    budget::{self, Account, RateLimitKey},
    clock::Clock,
    grpc::{self, Authentication, Bounds, ReflectionError, Reporter, Tokens, Toll},
    listen,
    tasks::Tasks,
};
use idempotency::{KEY_HEADER, grpc::response};
use tokio::net::TcpListener;
use tonic::{Request, Response};

use super::{Failure, Invalid};
use crate::{
    access::{Access, Caller},
    config::Config,
    order::{self, Orders},
    order_events::{self, OrderEvents, grpc::Answers},
    stock::{self, Stocks},
};

/// The names of the service.
const NAMES: [&str; 2] = ["loms.Loms", "Loms"];

/// Metadata by which the cart says that a customer orders, whose limits count.
const CUSTOMER_METADATA: &str = "x-customer";

/// So many lines of an order cost one unit more of its caller's budget.
const LINES_PER_COST: u64 = 10;
/// So many SKUs of a list of stock cost one unit more.
const SKUS_PER_COST: u64 = 100;

/// The handlers.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    orders: Orders,
    stocks: Stocks,
    products: Products,
    events: OrderEvents,
}

impl Server {
    pub(crate) const fn new(
        orders: Orders,
        stocks: Stocks,
        products: Products,
        events: OrderEvents,
    ) -> Self {
        Self {
            orders,
            stocks,
            products,
            events,
        }
    }

    async fn create(
        &self,
        request: Request<OrderCreateRequest>,
    ) -> Result<Response<OrderCreateResponse>, Failure> {
        let (who, caller) = callers(&request)?;
        let is_customer = request.metadata().contains_key(CUSTOMER_METADATA);
        let request = request.into_inner();
        if let Some(account) = Account::current() {
            account.spend(request.items.len() as u64 / LINES_PER_COST);
        }
        let created = match who {
            grpc::Caller::Token(_) => {
                order::grpc::create_as(&who, &self.orders, caller, request, &self.products).await?
            }
            grpc::Caller::Service(_) if is_customer => {
                order::grpc::create_for_customer(&self.orders, caller, request).await?
            }
            grpc::Caller::Service(_) | grpc::Caller::Compatible => {
                order::grpc::create(&self.orders, caller, request).await?
            }
        };
        Ok(response(created))
    }

    async fn info(
        &self,
        request: Request<OrderInfoRequest>,
    ) -> Result<Response<OrderInfoResponse>, Failure> {
        let (_, caller) = callers(&request)?;
        let order_id = request.into_inner().order_id;
        let id = order::grpc::order_id(order_id, "OrderInfoRequest.OrderId")?;
        let info = order::grpc::info(&self.orders, caller.access, id).await?;
        Ok(Response::new(info))
    }

    async fn pay(
        &self,
        request: Request<OrderPayRequest>,
    ) -> Result<Response<OrderPayResponse>, Failure> {
        let (_, caller) = callers(&request)?;
        let order_id = request.into_inner().order_id;
        let id = order::grpc::order_id(order_id, "OrderPayRequest.OrderId")?;
        let paid = self.orders.pay(&caller, id).await?;
        order::grpc::done(&paid)?;
        Ok(response(paid.map(|_| OrderPayResponse {})))
    }

    async fn cancel(
        &self,
        request: Request<OrderCancelRequest>,
    ) -> Result<Response<OrderCancelResponse>, Failure> {
        let (_, caller) = callers(&request)?;
        let order_id = request.into_inner().order_id;
        let id = order::grpc::order_id(order_id, "OrderCancelRequest.OrderId")?;
        let cancelled = self.orders.cancel(&caller, id).await?;
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

    async fn stocks(
        &self,
        request: Request<StocksListRequest>,
    ) -> Result<Response<StocksListResponse>, Failure> {
        let skus = request.into_inner().skus;
        if let Some(account) = Account::current() {
            account.spend(skus.len() as u64 / SKUS_PER_COST);
        }
        let stocks = stock::grpc::list(&self.stocks, &skus).await?;
        Ok(Response::new(stocks))
    }

    async fn follow(
        &self,
        request: Request<OrderEventsRequest>,
    ) -> Result<Response<Answers>, Failure> {
        let (who, caller) = callers(&request)?;
        let principal = match &who {
            grpc::Caller::Token(principal) => Some(&**principal),
            grpc::Caller::Service(_) | grpc::Caller::Compatible => None,
        };
        let reader = order_events::Reader {
            access: caller.access,
            key: RateLimitKey::of(principal, budget::peer(request.extensions())),
            expires_at: order_events::grpc::expires_at(&who),
        };
        order_events::grpc::open(&self.events, reader, request.get_ref()).await
    }
}

chassis::serve_under_names!(Server as Loms, Alias: {
    order_create(OrderCreateRequest) -> OrderCreateResponse = create;
    order_info(OrderInfoRequest) -> OrderInfoResponse = info;
    order_pay(OrderPayRequest) -> OrderPayResponse = pay;
    order_cancel(OrderCancelRequest) -> OrderCancelResponse = cancel;
    stocks_info(StocksInfoRequest) -> StocksInfoResponse = stock;
    stocks_list(StocksListRequest) -> StocksListResponse = stocks;
} streams {
    order_events(OrderEventsRequest) -> OrderEventsStream: Answers = follow;
});

/// Who calls, and what that allows: a user's token opens the user's own orders; a service and a client of the compatibility
/// profile may change any order.
fn callers<M>(request: &Request<M>) -> Result<(grpc::Caller, Caller), Failure> {
    let (who, metadata) = (grpc::Caller::of(request), request.metadata());
    let access = match &who {
        grpc::Caller::Token(principal) => Access::of(principal).map_err(Failure::Denied)?,
        grpc::Caller::Service(_) | grpc::Caller::Compatible => Access::Everybody,
    };
    let bad_key = |bad| Invalid(format!("invalid metadata {KEY_HEADER}: {bad}"));
    let caller = Caller {
        key: idempotency::grpc::key(metadata).map_err(bad_key)?,
        traceparent: chassis::grpc::traceparent(metadata).map(str::to_owned),
        ..Caller::plain(access)
    };
    Ok((who, caller))
}

/// Takes the port.
pub(crate) async fn listen(config: &Config) -> Result<TcpListener, listen::Error> {
    listen::bind(config.grpc_listen, "loms.grpc_listen").await
}

/// Serves until the tasks' token; calls in flight end first. The reporter lets the probe tell gRPC's health.
pub(crate) fn serve(
    server: Server,
    listener: TcpListener,
    tokens: Tokens,
    config: &Config,
    clock: Clock,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let is_compatible = grpc::is_compatible(
        config.grpc_listen,
        "loms.grpc_listen",
        config.beyond_loopback_enabled,
        "loms.beyond_loopback_enabled",
    );
    let (door, setting) = ("loms_grpc", "loms.grpc_rate_limit");
    let toll = Toll::new(door, setting, config.grpc_rate_limit.clone(), clock);
    let authentication = Authentication::new(tokens, &["cart"], is_compatible, toll);
    let bounds = Bounds::new(door, config.grpc_calls, config.call_timeout, tasks);
    let bytes = config.grpc_message_bytes;
    let packaged = LomsServer::new(server.clone()).max_decoding_message_size(bytes);
    let alias = AliasServer::new(server).max_decoding_message_size(bytes);
    let routes = chassis::grpc::server()
        .add_service(bounds.around(authentication.before(packaged)))
        .add_service(bounds.around(authentication.before(alias)));
    chassis::grpc::serve("loms grpc", &NAMES, routes, listener, tasks)
}
