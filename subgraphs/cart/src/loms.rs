//! The order service as the cart sees it: free stock, and an order for a checkout. Over gRPC, one lazily made connection
//! that comes back by itself.
//!
//! A call is tried again for a moment when the service is out of reach, which is safe because reading is, and because an
//! order carries its checkout's id as idempotency key. Source: docs/contracts.md §3.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ::schema::{
    code::ErrorCode,
    id::{OrderId, Sku, UserId},
    proto::loms::{
        Item, OrderCreateRequest, StocksInfoRequest, StocksListRequest, loms_client::LomsClient,
    },
    shortage::{SHORTAGE_METADATA, Shortage},
};
use backon::{ExponentialBuilder, Retryable as _};
use chassis::{
    breaker::{self, Breaker},
    deadline,
    fault::Coded,
    principal::ServiceSigner,
    telemetry::trace,
};
use idempotency::{Key, grpc::set_key};
use tokio::time::Instant;
use tonic::{
    Code, Request, Response, Status,
    metadata::{MetadataMap, MetadataValue},
    transport::{Channel, Endpoint},
};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::cart::domain::PricedLine;

/// Metadata that carries the W3C trace context of the request, which the order's events keep.
pub const TRACE_METADATA: &str = "traceparent";

/// Metadata by which the order service counts an order against the limits of customers.
const CUSTOMER_METADATA: &str = "x-customer";

/// Metadata of a refusal: its code of docs/errors.md, where gRPC's own does not tell.
const REFUSAL_METADATA: &str = "x-refusal";

/// SKUs of one call, as many as the order service takes. Source: docs/contracts.md §3, row StocksList.
const MAX_LIST: usize = 5_000;

/// Whose limits count for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// A customer's: so many open orders, and a share of a product's stock.
    Customer,
    /// Nobody's: a client of the older marketplace, or an operator.
    Unlimited,
}

/// Why there is no order, which is the buyer's to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOrder {
    /// A line asks for more than is free; of which product, where the service says.
    OutOfStock(Option<Shortage>),
    /// A limit of the customer's own was reached.
    OverLimit {
        /// Which, and what would pass.
        why: String,
    },
}

impl NoOrder {
    fn of(status: &Status) -> Self {
        let refusal = status.metadata().get(REFUSAL_METADATA);
        let code = refusal.and_then(|refusal| refusal.to_str().ok());
        if code == Some(ErrorCode::LimitExceeded.as_str()) {
            let why = status.message().to_owned();
            return Self::OverLimit { why };
        }
        let short = status.metadata().get(SHORTAGE_METADATA);
        let short = short.and_then(|short| short.to_str().ok()?.parse().ok());
        Self::OutOfStock(short)
    }
}

/// A second try after 100 ms and a third after 400 ms more.
const RETRIES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_factor(4.0)
    .with_max_times(2);
/// Time for making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Silence after which the connection is probed, and the time the probe has.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A client of the order service; cloning shares the connection.
#[derive(Debug, Clone)]
pub struct Loms {
    client: LomsClient<Channel>,
    breaker: Arc<Breaker>,
    /// Proves the cart to the order service, which believes it whom it orders for and at which price.
    service: Option<Arc<ServiceSigner>>,
    timeout: Duration,
}

/// The order service's address is invalid.
#[derive(Debug, thiserror::Error)]
#[error("cart.loms_url is not a valid address: {url:?}")]
pub struct InvalidUrl {
    url: String,
}

/// Why the order service gave no response that can be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It failed again and again a moment ago, so it was not asked.
    #[error("the order service is not asked")]
    KnownToBeDown(#[from] breaker::Refused),
    /// It is out of reach. An order may have been made.
    #[error("the order service is out of reach")]
    Unreachable(#[source] Arc<Status>),
    /// It took too long. An order may have been made.
    #[error("the order service took longer than {limit:?}")]
    TookTooLong {
        /// The time that it had.
        limit: Duration,
    },
    /// Its queue is full.
    #[error("the order service has too much to do")]
    Overloaded(#[source] Arc<Status>),
    /// Its response breaks the contract.
    #[error("the order service gave an unexpected response")]
    Unexpected(#[source] Arc<Status>),
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::KnownToBeDown(_) | Self::Unreachable(_) => ErrorCode::Unavailable,
            Self::TookTooLong { .. } => ErrorCode::DeadlineExceeded,
            Self::Overloaded(_) => ErrorCode::Overloaded,
            Self::Unexpected(_) => ErrorCode::Internal,
        }
    }
}

impl Loms {
    /// A client of the service at `url`. Connects when first used. Without `service` only a listener of the compatibility
    /// profile takes its calls.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn new(
        url: &str,
        timeout: Duration,
        service: Option<Arc<ServiceSigner>>,
    ) -> Result<Self, InvalidUrl> {
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|_| InvalidUrl {
                url: url.to_owned(),
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        Ok(Self {
            client: LomsClient::new(endpoint.connect_lazy()),
            breaker: Arc::new(Breaker::new("loms")),
            service,
            timeout,
        })
    }

    /// Free units of a SKU; `None` when no stock is kept for it.
    ///
    /// # Errors
    /// [`Error`] when the service cannot be asked.
    pub async fn free_stock(&self, sku: Sku) -> Result<Option<u32>, Error> {
        let response = self.call("loms.Loms/StocksInfo", None, |mut client, trace| {
            let request = self.request(StocksInfoRequest { sku: sku.get() }, trace);
            async move { client.stocks_info(request).await }
        });
        match response.await? {
            Ok(stock) => Ok(Some(stock.count)),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(Error::of(status)),
        }
    }

    /// Those of `skus` of which something is free, with one call for every 5,000.
    ///
    /// # Errors
    /// [`Error`] when the service cannot be asked: never a part.
    pub async fn in_stock(&self, skus: &[Sku]) -> Result<HashSet<Sku>, Error> {
        let mut in_stock = HashSet::new();
        for skus in skus.chunks(MAX_LIST) {
            let skus: Vec<i64> = skus.iter().map(|sku| sku.get()).collect();
            let response = self.call("loms.Loms/StocksList", None, |mut client, trace| {
                let request = self.request(StocksListRequest { skus: skus.clone() }, trace);
                async move { client.stocks_list(request).await }
            });
            let stocks = response.await?.map_err(|status| match status.code() {
                // The version before, while this one takes its place.
                Code::Unimplemented => Error::Unreachable(Arc::new(status)),
                _ => Error::of(status),
            })?;
            let free = stocks.stocks.iter().filter(|stock| stock.count > 0);
            in_stock.extend(free.filter_map(|stock| Sku::try_from(stock.sku).ok()));
        }
        Ok(in_stock)
    }

    /// Makes the order of one checkout; asked again with the same id and lines, the service gives the same order.
    /// [`NoOrder`] says why the service refused.
    ///
    /// # Errors
    /// [`Error`] when the service cannot be asked; the order may have been made then.
    pub async fn create_order(
        &self,
        owner: UserId,
        lines: &[PricedLine],
        checkout: Uuid,
        traceparent: Option<&str>,
        terms: Terms,
    ) -> Result<Result<OrderId, NoOrder>, Error> {
        let order = OrderCreateRequest {
            user_id: owner.get(),
            items: lines.iter().map(item).collect(),
        };
        let key = Key::from(checkout);
        let response = self.call("loms.Loms/OrderCreate", traceparent, |mut client, trace| {
            let mut request = self.request(order.clone(), trace);
            set_key(request.metadata_mut(), &key).expect("a UUID is plain ASCII");
            if terms == Terms::Customer {
                let is_customer = MetadataValue::from_static("true");
                (request.metadata_mut()).insert(CUSTOMER_METADATA, is_customer);
            }
            async move { client.order_create(request).await }
        });
        match response.await? {
            Ok(created) => match OrderId::try_from(created.order_id) {
                Ok(id) => Ok(Ok(id)),
                Err(_) => Err(Error::Unexpected(Arc::new(Status::internal(
                    "order id below 1",
                )))),
            },
            Err(status) if status.code() == Code::FailedPrecondition => {
                Ok(Err(NoOrder::of(&status)))
            }
            Err(status) => Err(Error::of(status)),
        }
    }

    /// How long a call may take: no longer than its caller waits.
    fn patience(&self) -> Duration {
        let left = deadline::current().map(|at| at.saturating_duration_since(Instant::now()));
        left.map_or(self.timeout, |left| left.min(self.timeout))
    }

    fn request<M>(&self, message: M, trace: Option<String>) -> Request<M> {
        let mut request = Request::new(message);
        request.set_timeout(self.patience());
        if let Some((name, value)) = self.service.as_deref().map(ServiceSigner::header) {
            let mut headers = std::mem::take(request.metadata_mut()).into_headers();
            headers.insert(name, value);
            *request.metadata_mut() = MetadataMap::from_headers(headers);
        }
        // What no header can carry is not a trace context.
        if let Some(trace) = trace.and_then(|trace| MetadataValue::try_from(trace).ok()) {
            request.metadata_mut().insert(TRACE_METADATA, trace);
        }
        request
    }

    /// Calls up to three times within the deadline; gives the last response. An attempt gets the trace context to send.
    /// While the service is known to be down it is not called; a probe has less time than others.
    async fn call<M, F>(
        &self,
        method: &'static str,
        traceparent: Option<&str>,
        attempt: impl Fn(LomsClient<Channel>, Option<String>) -> F,
    ) -> Result<Result<M, Status>, Error>
    where
        F: Future<Output = Result<Response<M>, Status>>,
    {
        let pass = self.breaker.enter()?;
        let patience = self.patience();
        let is_short = patience < self.timeout;
        let limit = pass.patience().unwrap_or(patience).min(patience);
        let span = tracing::debug_span!(
            "grpc",
            otel.name = method,
            otel.kind = "client",
            rpc.system = "grpc",
        );
        let trace = trace::traceparent(&span).or_else(|| traceparent.map(str::to_owned));
        let response = (|| attempt(self.client.clone(), trace.clone()))
            .retry(RETRIES)
            .when(is_transient);
        let response = tokio::time::timeout(limit, response)
            .instrument(span)
            .await
            .map_err(|_| Error::TookTooLong { limit });
        if is_short && matches!(response, Err(Error::TookTooLong { .. })) {
            // Its caller had little time: only if it took long all the same does that speak against the service.
            drop(pass);
        } else if is_down(&response) {
            pass.fail();
        } else {
            pass.succeed();
        }
        Ok(response?.map(Response::into_inner))
    }
}

fn item(line: &PricedLine) -> Item {
    Item {
        sku: line.sku.get(),
        count: line.count.get(),
        unit_price: Some(i64::from(line.unit_price)),
    }
}

/// Whether the same call may succeed in a moment: the connection broke, or the first call with this key still runs.
fn is_transient(status: &Status) -> bool {
    // A connection that breaks under a call is `Unknown`, `Cancelled` or `Internal`, depending on where it broke.
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Aborted | Code::Internal
    ) || is_of_the_connection(status)
}

/// Whether the connection ended the call, such as by a GOAWAY, and not the service: what the service says has no source.
fn is_of_the_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// Whether the service did not respond, or only that it cannot. One that is merely full is not down.
fn is_down<M>(response: &Result<Result<M, Status>, Error>) -> bool {
    match response {
        Ok(Ok(_)) => false,
        Ok(Err(status)) => {
            is_of_the_connection(status)
                || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
        }
        Err(_) => true,
    }
}

impl Error {
    fn of(status: Status) -> Self {
        let connection = is_of_the_connection(&status);
        let status = Arc::new(status);
        match status.code() {
            _ if connection => Self::Unreachable(status),
            Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::Aborted
            | Code::DeadlineExceeded => Self::Unreachable(status),
            Code::ResourceExhausted => Self::Overloaded(status),
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::Unexpected(status),
        }
    }
}
