//! An order service that keeps its orders by idempotency key, as the real one does, and can lose its answers.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ::schema::proto::loms::{
    OrderCancelRequest, OrderCancelResponse, OrderCreateRequest, OrderCreateResponse, OrderEvent,
    OrderEventsRequest, OrderInfoRequest, OrderInfoResponse, OrderPayRequest, OrderPayResponse,
    StocksInfoRequest, StocksInfoResponse, StocksListRequest, StocksListResponse,
    loms_server::{Loms, LomsServer},
    stocks_list_response::Stock,
};
use chassis::tasks::Tasks;
use tokio::{net::TcpListener, sync::Notify};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// The fake and its address; stops when dropped.
pub(crate) struct FakeLoms {
    pub(crate) address: SocketAddr,
    state: Arc<Fake>,
    tasks: Tasks,
}

#[derive(Default)]
struct Fake {
    books: Mutex<Books>,
    /// Told after each order that was made while answers get lost.
    ordered: Notify,
}

#[derive(Default)]
struct Books {
    stock: HashMap<i64, u32>,
    by_key: HashMap<String, (OrderCreateRequest, Option<i64>)>,
    made: Vec<OrderCreateRequest>,
    lose_answers: bool,
    /// Lists of stock that were read.
    lists: usize,
    /// Why orders are refused that are not short of stock.
    limit: Option<&'static str>,
}

impl FakeLoms {
    pub(crate) async fn start(stock: impl IntoIterator<Item = (i64, u32)>) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), stock).await
    }

    pub(crate) async fn start_on(
        address: SocketAddr,
        stock: impl IntoIterator<Item = (i64, u32)>,
    ) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .expect("the address is free");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(Fake::default());
        state.books().stock.extend(stock);
        let tasks = Tasks::default();
        let (service, stop) = (LomsServer::from_arc(state.clone()), tasks.token());
        tasks.spawn("fake order service", async move {
            let incoming = TcpListenerStream::new(listener);
            let server = Server::builder().add_service(service);
            server
                .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
                .await
                .expect("the fake serves");
        });
        Self {
            address,
            state,
            tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> cart::loms::Loms {
        cart::loms::Loms::new(&self.url(), Duration::from_secs(5), None).expect("an address")
    }

    /// From now on an order is made and its caller never hears of it.
    pub(crate) fn lose_answers(&self, lose: bool) {
        self.state.books().lose_answers = lose;
    }

    /// From now on customers are over this limit, or over none.
    pub(crate) fn limit(&self, why: Option<&'static str>) {
        self.state.books().limit = why;
    }

    /// Waits until an order was made whose answer is lost.
    pub(crate) async fn ordered(&self) {
        tokio::time::timeout(Duration::from_secs(10), self.state.ordered.notified())
            .await
            .expect("an order is made");
    }

    pub(crate) fn restock(&self, sku: i64, free: u32) {
        self.state.books().stock.insert(sku, free);
    }

    /// How many lists of stock were read.
    pub(crate) fn lists(&self) -> usize {
        self.state.books().lists
    }

    /// The orders that were made, each as (sku, count, unit price) lines.
    pub(crate) fn orders(&self) -> Vec<Vec<(i64, u32, Option<i64>)>> {
        let books = self.state.books();
        let lines = |order: &OrderCreateRequest| {
            order
                .items
                .iter()
                .map(|item| (item.sku, item.count, item.unit_price))
                .collect()
        };
        books.made.iter().map(lines).collect()
    }

    pub(crate) async fn stop(self) -> SocketAddr {
        self.close().await;
        self.address
    }

    /// Stops answering, for good.
    pub(crate) async fn close(&self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }
}

impl Fake {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl Drop for FakeLoms {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

impl Books {
    fn create(&mut self, key: String, order: OrderCreateRequest) -> Result<i64, Status> {
        if let Some((before, answer)) = self.by_key.get(&key) {
            if *before != order {
                return Err(Status::already_exists("this key belongs to another input"));
            }
            return answer.ok_or_else(|| Status::failed_precondition("short"));
        }
        if let Some(why) = self.limit {
            let mut refused = Status::failed_precondition(why);
            let code = "LIMIT_EXCEEDED".parse().expect("plain ASCII");
            refused.metadata_mut().insert("x-refusal", code);
            return Err(refused);
        }
        let free = |sku| self.stock.get(&sku).copied().unwrap_or(0);
        let short = order.items.iter().find(|item| free(item.sku) < item.count);
        if let Some(item) = short {
            let text = format!("{},{},{}", item.sku, item.count, free(item.sku));
            let mut refused = Status::failed_precondition("short");
            let text = text.parse().expect("plain ASCII");
            refused.metadata_mut().insert("x-shortage", text);
            self.by_key.insert(key, (order, None));
            return Err(refused);
        }
        for item in &order.items {
            *self.stock.get_mut(&item.sku).expect("checked above") -= item.count;
        }
        self.made.push(order.clone());
        let id = i64::try_from(self.made.len()).expect("a few orders");
        self.by_key.insert(key, (order, Some(id)));
        Ok(id)
    }
}

#[tonic::async_trait]
impl Loms for Fake {
    type OrderEventsStream = tokio_stream::Empty<Result<OrderEvent, Status>>;

    async fn order_events(
        &self,
        _: Request<OrderEventsRequest>,
    ) -> Result<Response<Self::OrderEventsStream>, Status> {
        Err(Status::unimplemented("cart does not ask"))
    }

    async fn order_create(
        &self,
        request: Request<OrderCreateRequest>,
    ) -> Result<Response<OrderCreateResponse>, Status> {
        let key = request
            .metadata()
            .get(idempotency::KEY_HEADER)
            .expect("cart sends a key");
        let key = key.to_str().expect("a UUID").to_owned();
        let (order_id, lost) = {
            let mut books = self.books();
            (books.create(key, request.into_inner())?, books.lose_answers)
        };
        if lost {
            self.ordered.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(Response::new(OrderCreateResponse { order_id }))
    }

    async fn stocks_info(
        &self,
        request: Request<StocksInfoRequest>,
    ) -> Result<Response<StocksInfoResponse>, Status> {
        let free = self.books().stock.get(&request.into_inner().sku).copied();
        let count = free.ok_or_else(|| Status::not_found("no stock row"))?;
        Ok(Response::new(StocksInfoResponse { count }))
    }

    async fn stocks_list(
        &self,
        request: Request<StocksListRequest>,
    ) -> Result<Response<StocksListResponse>, Status> {
        let mut books = self.books();
        books.lists += 1;
        let skus = request.into_inner().skus.into_iter();
        let kept = skus.filter_map(|sku| Some((sku, *books.stock.get(&sku)?)));
        let stocks = kept.map(|(sku, count)| Stock { sku, count }).collect();
        Ok(Response::new(StocksListResponse { stocks }))
    }

    async fn order_info(
        &self,
        _: Request<OrderInfoRequest>,
    ) -> Result<Response<OrderInfoResponse>, Status> {
        Err(Status::unimplemented("cart does not ask"))
    }

    async fn order_pay(
        &self,
        _: Request<OrderPayRequest>,
    ) -> Result<Response<OrderPayResponse>, Status> {
        Err(Status::unimplemented("cart does not ask"))
    }

    async fn order_cancel(
        &self,
        _: Request<OrderCancelRequest>,
    ) -> Result<Response<OrderCancelResponse>, Status> {
        Err(Status::unimplemented("cart does not ask"))
    }
}
