//! The SQL of orders: insert, lock, set, and the reads. A function that takes a transaction writes or locks.

use std::collections::HashMap;

use ::schema::id::{OrderId, Sku, UserId};
use chassis::mutant::{self, Mutant};
use chrono::{DateTime, Utc};
use loms_domain::lines::{Line, Needs};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, EntityTrait as _, FromQueryResult, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QueryResult, QuerySelect as _, Statement, Value,
};

use super::{
    Error, Order, OrderLine, StatusChange,
    batch::{Moment, NewOrder},
    find::{Key, Slice},
};
use crate::{access::Access, entity::order};

impl TryFrom<order::Model> for Order {
    type Error = Error;

    fn try_from(row: order::Model) -> Result<Self, Error> {
        let unreadable = |what| Error::Unreadable { id: row.id, what };
        Ok(Self {
            id: OrderId::try_from(row.id).map_err(|_| unreadable("id"))?,
            user_id: UserId::try_from(row.user_id).map_err(|_| unreadable("user_id"))?,
            status: row.status.parse().map_err(|_| unreadable("status"))?,
            version: u32::try_from(row.version).map_err(|_| unreadable("version"))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

fn array<T>(rows: &[T], read: impl Fn(&T) -> i64) -> Value {
    rows.iter().map(read).collect::<Vec<i64>>().into()
}

/// Inserts orders with their lines as their first transaction leaves them, in the order given, with two statements.
pub(super) async fn insert_each(
    tx: &DatabaseTransaction,
    orders: &[NewOrder<'_>],
    moment: Moment,
) -> Result<Vec<Order>, Error> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "insert into orders (user_id, status, version, created_at, expires_at)
               select user_id, status, 2, $3, case status when 'awaiting payment' then $4::timestamptz end
               from unnest($1::bigint[], $2::text[]) with ordinality as new (user_id, status, place)
               order by place
               returning id, user_id, status, version, created_at, expires_at";
    let status = orders.iter().map(|new| new.status.as_str().to_owned());
    let values = [
        array(orders, |new| new.user.get()),
        status.collect::<Vec<String>>().into(),
        moment.now.into(),
        moment.expires_at.into(),
    ];
    let rows = tx.query_all_raw(statement(sql, values)).await?;
    let mut inserted = Vec::with_capacity(rows.len());
    for row in &rows {
        inserted.push(Order::try_from(order::Model::from_query_result(row, "")?)?);
    }
    // Numbers are given in the order of the select; rows come back in no promised order.
    inserted.sort_unstable_by_key(|order| order.id);
    if inserted.len() != orders.len() {
        return Err(Error::Unreadable {
            id: 0,
            what: "an insert gave too few rows",
        });
    }
    insert_lines(tx, &inserted, orders).await?;
    Ok(inserted)
}

/// Inserts the lines as they were sent, with one statement.
async fn insert_lines(
    tx: &DatabaseTransaction,
    inserted: &[Order],
    orders: &[NewOrder<'_>],
) -> Result<(), Error> {
    let lines: Vec<(i64, i64, &Line)> = inserted
        .iter()
        .zip(orders)
        .flat_map(|(order, new)| {
            let places = (0..).zip(new.lines.as_sent());
            places.map(|(place, line)| (order.id.get(), place, line))
        })
        .collect();
    // A missing price travels as -1: the driver's arrays hold no nulls.
    let sql = "insert into order_lines (order_id, position, sku, count, unit_price)
               select order_id, position, sku, count, nullif(unit_price, -1)
               from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                   as line (order_id, position, sku, count, unit_price)";
    let values = [
        array(&lines, |(order, _, _)| *order),
        array(&lines, |(_, place, _)| *place),
        array(&lines, |(_, _, line)| line.sku.get()),
        array(&lines, |(_, _, line)| i64::from(line.quantity.get())),
        array(&lines, |(_, _, line)| {
            line.unit_price.map_or(-1, |price| price.get())
        }),
    ];
    tx.execute_raw(statement(sql, values)).await?;
    Ok(())
}

/// Locks, in id order and until the transaction ends, the orders that some of these callers may change.
pub(super) async fn lock_each(
    tx: &DatabaseTransaction,
    wanted: &[(OrderId, Access)],
) -> Result<HashMap<OrderId, Order>, Error> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    // An owner of 0 stands for a caller who may change all: the driver's arrays hold no nulls.
    let sql = "select id, user_id, status, version, created_at, expires_at from orders
               where id = any($1)
                 and exists (select from unnest($1::bigint[], $2::bigint[]) as wanted (order_id, owner)
                             where order_id = id and (owner = 0 or owner = user_id))
               order by id for update";
    let values = [
        array(wanted, |(id, _)| id.get()),
        array(wanted, |(_, access)| access.owner().unwrap_or(0)),
    ];
    let rows = tx.query_all_raw(statement(sql, values)).await?;
    let read = |row| {
        let order = Order::try_from(order::Model::from_query_result(row, "")?)?;
        Ok((order.id, order))
    };
    rows.iter().map(read).collect()
}

/// Locks orders that are due to be cancelled, in id order, passing over those that somebody else has locked.
pub(super) async fn lock_due(
    tx: &DatabaseTransaction,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Order>, Error> {
    let sql = "select id, user_id, status, version, created_at, expires_at from orders
               where id in (select id from orders
                            where status = 'awaiting payment' and expires_at <= $1
                            order by expires_at limit $2)
                 and status = 'awaiting payment'
               order by id for update skip locked";
    // Chosen without a lock, and not looked at again once it is locked.
    let blind = "with due as materialized (select id from orders
                              where status = 'awaiting payment' and expires_at <= $1
                              order by expires_at limit $2),
                      slow as materialized (select pg_sleep(0.05) from due limit 1)
                 select orders.id, user_id, status, version, created_at, expires_at
                 from orders join due using (id) left join slow on true
                 order by orders.id for update of orders";
    let sql = match mutant::is_on(Mutant::ExpiryIgnoresPayment) {
        false => sql,
        true => blind,
    };
    let rows = tx
        .query_all_raw(statement(sql, [now.into(), i64::from(limit).into()]))
        .await?;
    rows.iter()
        .map(|row| order::Model::from_query_result(row, "")?.try_into())
        .collect()
}

/// Writes status and version of locked orders with one statement.
pub(super) async fn set_status(tx: &DatabaseTransaction, orders: &[Order]) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let sql = "update orders set status = change.status, version = change.version
               from unnest($1::bigint[], $2::text[], $3::bigint[]) as change (id, status, version)
               where orders.id = change.id";
    let status: Vec<String> = orders
        .iter()
        .map(|order| order.status.as_str().to_owned())
        .collect();
    let values = [
        array(orders, |order| order.id.get()),
        status.into(),
        array(orders, |order| i64::from(order.version)),
    ];
    tx.execute_raw(statement(sql, values)).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct LineRow {
    order_id: i64,
    sku: i64,
    count: i64,
    unit_price: Option<i64>,
}

/// Reads what each order holds reserved, with one statement.
pub(super) async fn load_needs(
    tx: &DatabaseTransaction,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Needs>, Error> {
    let mut needs: HashMap<OrderId, Needs> = HashMap::new();
    if ids.is_empty() {
        return Ok(needs);
    }
    for (id, line) in list_lines(tx, ids).await? {
        needs
            .entry(id)
            .or_default()
            .extend([(line.sku, i64::from(line.count))]);
    }
    Ok(needs)
}

/// Reads the lines of orders, ascending by SKU and then as they were sent, with one statement.
pub(super) async fn list_lines(
    db: &impl ConnectionTrait,
    ids: &[OrderId],
) -> Result<Vec<(OrderId, OrderLine)>, Error> {
    let sql = "select order_id, sku, count, unit_price from order_lines
               where order_id = any($1) order by order_id, sku, position";
    let rows = db
        .query_all_raw(statement(sql, [array(ids, |id| id.get())]))
        .await?;
    let read = |row| {
        let row = LineRow::from_query_result(row, "")?;
        let unreadable = |what| Error::Unreadable {
            id: row.order_id,
            what,
        };
        let line = OrderLine {
            sku: Sku::try_from(row.sku).map_err(|_| unreadable("sku"))?,
            count: u32::try_from(row.count).map_err(|_| unreadable("count"))?,
            unit_price: row.unit_price,
        };
        Ok((
            OrderId::try_from(row.order_id).map_err(|_| unreadable("id"))?,
            line,
        ))
    };
    rows.iter().map(read).collect()
}

#[derive(FromQueryResult)]
struct ChangeRow {
    order_id: i64,
    version: i32,
    status: String,
    moment: DateTime<Utc>,
}

/// Reads every status that the orders had, oldest first, with one statement and so from one moment: an event is in
/// the outbox until its retention there is over, and in the history from then on.
pub(super) async fn list_history(
    db: &DatabaseConnection,
    ids: &[OrderId],
) -> Result<Vec<(OrderId, StatusChange)>, Error> {
    let sql = "select order_id, version, status, moment from outbox where order_id = any($1)
               union all
               select order_id, version, status, moment from order_history where order_id = any($1)
               order by order_id, version";
    let rows = db
        .query_all_raw(statement(sql, [array(ids, |id| id.get())]))
        .await?;
    let read = |row| {
        let row = ChangeRow::from_query_result(row, "")?;
        let unreadable = |what| Error::Unreadable {
            id: row.order_id,
            what,
        };
        let change = StatusChange {
            status: row.status.parse().map_err(|_| unreadable("status"))?,
            at: row.moment,
            version: u32::try_from(row.version).map_err(|_| unreadable("version"))?,
        };
        Ok((
            OrderId::try_from(row.order_id).map_err(|_| unreadable("id"))?,
            change,
        ))
    };
    rows.iter().map(read).collect()
}

/// Reads the orders that each caller may see, with one statement; the others are left out.
pub(super) async fn find(
    db: &DatabaseConnection,
    keys: &[Key],
) -> Result<HashMap<Key, Order>, Error> {
    // An owner of 0 stands for a caller who may see all: the driver's arrays hold no nulls.
    let sql = "select wanted.place, id, user_id, status, version, created_at, expires_at
               from unnest($1::bigint[], $2::bigint[]) with ordinality as wanted (order_id, owner, place)
               join orders on id = order_id and (owner = 0 or user_id = owner)";
    let owner = |key: &Key| key.access.owner().unwrap_or(0);
    let rows = db
        .query_all_raw(statement(
            sql,
            [array(keys, |key| key.id.get()), array(keys, owner)],
        ))
        .await?;
    let read = |row: &QueryResult| {
        let place: i64 = row.try_get("", "place")?;
        let key = usize::try_from(place - 1)
            .ok()
            .and_then(|place| keys.get(place));
        let order = Order::try_from(order::Model::from_query_result(row, "")?)?;
        let key = key.ok_or(Error::Unreadable {
            id: order.id.get(),
            what: "place",
        })?;
        Ok((*key, order))
    };
    rows.iter().map(read).collect()
}

/// Reads one order more than the page holds, newest first.
pub(super) async fn list(
    db: &DatabaseConnection,
    slice: &Slice,
    after: Option<OrderId>,
    limit: u64,
) -> Result<Vec<Order>, Error> {
    let below = after.map(|id| order::Column::Id.lt(id.get()));
    let rows = order::Entity::find()
        .filter(condition(slice).add_option(below))
        .order_by_desc(order::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    rows.into_iter().map(Order::try_from).collect()
}

/// Counts a whole list.
pub(super) async fn count(db: &DatabaseConnection, slice: &Slice) -> Result<u64, Error> {
    Ok(order::Entity::find()
        .filter(condition(slice))
        .count(db)
        .await?)
}

fn condition(slice: &Slice) -> Condition {
    let user = slice.user.map(|user| order::Column::UserId.eq(user.get()));
    let status = slice
        .status
        .map(|status| order::Column::Status.eq(status.as_str()));
    Condition::all().add_option(user).add_option(status)
}
