//! An order service over a database of the test's own, with a clock that stands still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_graphql::{Request, Variables};
use chassis::{
    clock::Clock,
    graphql::{IdempotencyKeyHeader, LocalSubgraph},
    principal::{Principal, Scopes},
    tasks::Tasks,
};
use chrono::{DateTime, TimeDelta};
use loms::{
    Access, Caller,
    order::{Order, Orders, Outcome},
    stock::Stocks,
};
use loms_domain::lines::{Line, Lines};
use schema::{
    event::OrderStatus,
    id::{OrderId, Quantity, Sku, UserId},
};
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbBackend, Statement, TransactionTrait as _,
};
use serde_json::{Value, json};
use testkit::{TestDatabase, eventually};

use crate::catalogue::FakeCatalogue;

pub(crate) const ORDER_TTL: Duration = Duration::from_secs(600);
/// How long a change may wait for its group.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const SKU: i64 = 1_076_963;
/// The longest wait for something to happen.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn user(id: i64) -> UserId {
    id.try_into().unwrap()
}

pub(crate) fn sku(id: i64) -> Sku {
    id.try_into().unwrap()
}

pub(crate) fn order_id(id: i64) -> OrderId {
    id.try_into().unwrap()
}

pub(crate) fn lines(lines: &[(i64, u32)]) -> Lines {
    let line = |(id, count): &(i64, u32)| Line {
        sku: sku(*id),
        quantity: Quantity::try_from(*count).unwrap(),
        unit_price: None,
    };
    Lines::new(lines.iter().map(line).collect()).unwrap()
}

/// A buyer, without an idempotency key.
pub(crate) fn buyer(id: i64) -> Caller {
    Caller::plain(Access::Owner(user(id)))
}

/// The same buyer, with a key.
pub(crate) fn keyed(id: i64, key: &str) -> Caller {
    Caller {
        key: Some(key.to_owned().try_into().unwrap()),
        ..buyer(id)
    }
}

/// The service under test.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) orders: Orders,
    pub(crate) stocks: Stocks,
    pub(crate) subgraph: LocalSubgraph,
    pub(crate) catalogue: Arc<FakeCatalogue>,
    pub(crate) clock: Clock,
    pub(crate) database: TestDatabase,
    statements: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Shop {
    /// A shop with these stocks: SKU and units.
    pub(crate) async fn with_stock(stocks: &[(i64, i64)]) -> Self {
        Self::empty().await.stocked(stocks).await
    }

    /// A shop with nothing to sell. Its changes share transactions, unless the whole run is to do without.
    pub(crate) async fn empty() -> Self {
        let queue = (!crate::modes::is_alone()).then_some(1_024);
        Self::open(queue).await
    }

    /// A shop whose changes share transactions, with so many places in the queue.
    pub(crate) async fn grouped(queue: usize, stocks: &[(i64, i64)]) -> Self {
        Self::open(Some(queue)).await.stocked(stocks).await
    }

    /// A shop with a transaction for each change.
    pub(crate) async fn alone(stocks: &[(i64, i64)]) -> Self {
        Self::open(None).await.stocked(stocks).await
    }

    async fn stocked(self, stocks: &[(i64, i64)]) -> Self {
        for (sku, total) in stocks {
            self.put(*sku, *total, 0).await;
        }
        self
    }

    async fn open(queue: Option<usize>) -> Self {
        let database = testkit::database(migrations::Database::Loms).await;
        let statements = Arc::new(AtomicUsize::new(0));
        let mut db = database.db.clone();
        let counter = Arc::clone(&statements);
        db.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let tasks = Tasks::new();
        let orders = Orders::new(db.clone(), clock.clone(), None, ORDER_TTL);
        let orders = match queue {
            Some(places) => orders.grouped(places, PATIENCE, &tasks),
            None => orders,
        };
        let stocks = Stocks::new(db, clock.clone());
        let catalogue = FakeCatalogue::new();
        let subgraph = loms::subgraph(orders.clone(), stocks.clone(), catalogue.products(), &tasks);
        Self {
            orders,
            stocks,
            subgraph,
            catalogue,
            clock,
            database,
            statements,
            tasks,
        }
    }

    /// Tells the tasks that the process stops.
    pub(crate) fn begin_to_stop(&self) {
        self.tasks.token().cancel();
    }

    /// Opens as many connections as the pool may have: without them, requests that should meet queue up for the first.
    pub(crate) async fn open_connections(&self) {
        let hold = || self.database.db.execute_unprepared("select pg_sleep(0.2)");
        let held = futures::future::join_all((0..8).map(|_| hold())).await;
        assert!(held.iter().all(Result::is_ok), "{held:?}");
    }

    /// Locks a SKU's row, so that whoever wants it has to wait.
    pub(crate) async fn hold(&self, sku: i64) -> DatabaseTransaction {
        let tx = self.database.db.begin().await.unwrap();
        let sql = format!("select 1 from stocks where sku = {sku} for update");
        tx.execute_unprepared(&sql).await.unwrap();
        tx
    }

    /// Waits until a transaction stands before a lock.
    pub(crate) async fn until_blocked(&self) {
        eventually("a transaction waits", LIMIT, async || {
            let sql = "select count(*) as waiting from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
            let row = Statement::from_string(DbBackend::Postgres, sql);
            let row = self.database.db.query_one_raw(row).await.unwrap().unwrap();
            (row.try_get::<i64>("", "waiting").unwrap() > 0).then_some(())
        })
        .await;
    }

    /// Puts a row into the ledger.
    pub(crate) async fn put(&self, sku: i64, total: i64, reserved: i64) {
        let sql = "insert into stocks (sku, total, reserved, baseline_total, baseline_reserved)
                   values ($1, $2, $3, $2, $3)";
        self.execute(sql, [sku.into(), total.into(), reserved.into()])
            .await;
    }

    pub(crate) async fn execute<const N: usize>(&self, sql: &str, values: [sea_orm::Value; N]) {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        self.database.db.execute_raw(statement).await.unwrap();
    }

    /// Orders; the outcome may be a refusal.
    pub(crate) async fn order(&self, id: i64, wanted: &[(i64, u32)]) -> Outcome {
        self.orders
            .create(&buyer(id), user(id), &lines(wanted))
            .await
            .unwrap()
            .value
    }

    /// An order that awaits payment.
    pub(crate) async fn ordered(&self, id: i64, wanted: &[(i64, u32)]) -> Order {
        let outcome = self.order(id, wanted).await;
        assert_eq!(outcome.refusal, None);
        outcome.order.unwrap()
    }

    /// Total and reserved units of a SKU.
    pub(crate) async fn stock(&self, id: i64) -> (i64, i64) {
        let row = self.stocks.find(sku(id)).await.unwrap().unwrap().0;
        (row.total, row.reserved)
    }

    /// The statuses that the outbox has for an order, in the order in which they will be sent.
    pub(crate) async fn events(&self, id: OrderId) -> Vec<(i32, OrderStatus)> {
        let sql = "select version, status from outbox where order_id = $1 order by id";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [id.get().into()]);
        let rows = self.database.db.query_all_raw(statement).await.unwrap();
        let read = |row: &sea_orm::QueryResult| {
            let status: String = row.try_get("", "status").unwrap();
            (row.try_get("", "version").unwrap(), status.parse().unwrap())
        };
        rows.iter().map(read).collect()
    }

    /// The SKUs that each event of an order names, by version.
    pub(crate) async fn skus(&self, id: OrderId) -> Vec<String> {
        let sql = "select skus from outbox where order_id = $1 order by version";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [id.get().into()]);
        let rows = self.database.db.query_all_raw(statement).await.unwrap();
        let read = |row: &sea_orm::QueryResult| row.try_get("", "skus").unwrap();
        rows.iter().map(read).collect()
    }

    /// Statements that `work` runs; begin and commit do not count.
    pub(crate) async fn statements<T>(&self, work: impl Future<Output = T>) -> (usize, T) {
        let before = self.statements.load(Ordering::Relaxed);
        let result = work.await;
        (self.statements.load(Ordering::Relaxed) - before, result)
    }

    pub(crate) fn principal(&self, id: i64, scopes: Scopes) -> Arc<Principal> {
        Arc::new(Principal {
            user: Some(user(id)),
            scopes,
            expires_at: self.clock.now() + TimeDelta::hours(1),
            service: None,
        })
    }

    /// Runs an operation as a customer.
    pub(crate) async fn ask(&self, id: i64, query: &str, variables: Value) -> Value {
        self.ask_as(self.principal(id, Scopes::CUSTOMER), query, variables)
            .await
    }

    /// Runs an operation as an operator.
    pub(crate) async fn ask_ops(&self, query: &str, variables: Value) -> Value {
        self.ask_as(self.principal(999, Scopes::OPS), query, variables)
            .await
    }

    /// Runs an operation as an operator, with the header `Idempotency-Key`.
    pub(crate) async fn ask_with_key(
        &self,
        id: i64,
        header: &str,
        query: &str,
        variables: Value,
    ) -> Value {
        let header = IdempotencyKeyHeader(header.as_bytes().to_vec());
        let request = Request::new(query)
            .variables(Variables::from_json(variables))
            .data(self.principal(id, Scopes::OPS))
            .data(header);
        serde_json::to_value(self.subgraph.execute(request).await).unwrap()
    }

    pub(crate) async fn ask_as(&self, who: Arc<Principal>, query: &str, variables: Value) -> Value {
        let request = Request::new(query)
            .variables(Variables::from_json(variables))
            .data(who);
        serde_json::to_value(self.subgraph.execute(request).await).unwrap()
    }

    /// Resolves representations, as the router does.
    pub(crate) async fn entities(&self, id: i64, of: Value, selection: &str) -> Value {
        let query =
            format!("query($r: [_Any!]!) {{ _entities(representations: $r) {{ {selection} }} }}");
        self.ask(id, &query, json!({ "r": of })).await
    }

    /// Sums the ledger up against the orders, as `verify` does.
    pub(crate) async fn assert_ledger_adds_up(&self) {
        let sql = "with held as (
                       select sku, sum(count) filter (where status = 'awaiting payment') as unpaid,
                              sum(count) filter (where status = 'paid') as paid
                       from order_lines join orders on orders.id = order_id group by sku)
                   select count(*) as wrong from stocks left join held using (sku)
                   where reserved <> baseline_reserved + coalesce(unpaid, 0)
                      or total <> baseline_total - coalesce(paid, 0)";
        let row = self
            .database
            .db
            .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            row.try_get::<i64>("", "wrong").unwrap(),
            0,
            "rows that the orders do not explain"
        );
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}
