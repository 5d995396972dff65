//! The promises about orders and stock, inside the order service's database.

use super::Finding;
use super::stores::{Stores, ask};

/// What orders explain of each SKU.
const HELD: &str = "select sku, sum(count) filter (where status = 'awaiting payment') as unpaid,
           sum(count) filter (where status = 'paid') as paid
    from order_lines join orders on orders.id = order_id group by sku";

/// Keys that answer wrongly.
const KEYS: &str = "select format('order %s answers %s keys of %s', answer -> 'order' ->> 'id', count(*), operation)
         from idempotency_keys where operation = 'createOrder' and answer -> 'order' ->> 'id' is not null
         group by operation, answer -> 'order' ->> 'id' having count(*) > 1
         union all
         select format('key %s of user %s answers order %s, which is not there', key, idempotency_keys.user_id, answer -> 'order' ->> 'id')
         from idempotency_keys left join orders on orders.id = (answer -> 'order' ->> 'id')::bigint
         where answer -> 'order' ->> 'id' is not null and orders.id is null
         union all
         select format('key %s of user %s has no answer', key, user_id) from idempotency_keys where answer is null";

/// Orders that their events do not explain.
const HISTORY: &str = "select format('order %s is %s in version %s, its last event says %s in version %s',
                              orders.id, orders.status, orders.version, last.status, last.version)
         from orders left join lateral (select status, version from outbox where order_id = orders.id
                                        union all
                                        select status, version from order_history where order_id = orders.id
                                        order by version desc limit 1) as last on true
         where last.version is distinct from orders.version or last.status is distinct from orders.status
         union all
         select format('order %s has %s events and is in version %s', orders.id, count(*), orders.version)
         from orders join (select order_id from outbox union all select order_id from order_history) as event
              on order_id = orders.id
         group by orders.id having count(*) <> orders.version";

/// # Errors
/// When the database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Vec<Finding>> {
    let db = &stores.loms;
    let stocks = "select count(*) from stocks";
    let orders = "select count(*) from orders";
    let sold = format!(
        "select format('SKU %s: %s on hand and %s sold, of %s put in',
                       sku, total, coalesce(paid, 0), baseline_total)
         from stocks left join ({HELD}) as held using (sku)
         where total <> baseline_total - coalesce(paid, 0)"
    );
    let reserved = format!(
        "select format('SKU %s: %s reserved, but orders hold %s and the seed %s; %s on hand',
                       sku, reserved, coalesce(unpaid, 0), baseline_reserved, total)
         from stocks left join ({HELD}) as held using (sku)
         where reserved <> baseline_reserved + coalesce(unpaid, 0)
            or reserved < 0 or (reserved > total and not seeded_over)"
    );
    let asked = "select format('order %s has no lines', orders.id) from orders
         where not exists (select from order_lines where order_id = orders.id)";
    Ok(vec![
        ask(
            db,
            "I1",
            "of every SKU, what is there and what was sold is what was put in",
            stocks,
            &sold,
        )
        .await?,
        ask(
            db,
            "I2",
            "what is reserved is what unpaid orders and the seed hold",
            stocks,
            &reserved,
        )
        .await?,
        ask(
            db,
            "I4",
            "one key, one order",
            "select count(*) from idempotency_keys",
            KEYS,
        )
        .await?,
        ask(
            db,
            "I5",
            "every order was asked for: it has lines",
            orders,
            asked,
        )
        .await?,
        ask(
            db,
            "I7a",
            "an order stands where its last event says, and no version is left out",
            orders,
            HISTORY,
        )
        .await?,
    ])
}
