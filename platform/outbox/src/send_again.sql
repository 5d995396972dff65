-- Takes these events out of the outbox or of the history and appends them anew, unsent: under new ids, in the order of their
-- versions, so that none is sent before an earlier one of its order. What the history has lost of them, the orders have.
with sent as (
    delete from outbox
    where event_id = any($1) and sent_at is not null
    returning order_id, version, event_id, user_id, status, moment, traceparent, skus
),
old as (
    delete from order_history
    where event_id = any($1)
    returning order_id, version, event_id, status, moment
),
lost as (
    select order_id, version, event_id, user_id, status, moment, traceparent, skus
    from sent
    union all
    select old.order_id, old.version, old.event_id, orders.user_id, old.status, old.moment, null, products.skus
    from old
    join orders on orders.id = old.order_id
    cross join lateral (
        select coalesce(string_agg(sku::text, ',' order by sku), '') as skus
        from (select distinct sku from order_lines where order_id = old.order_id) as each_once
    ) as products
)
insert into outbox (order_id, version, event_id, user_id, status, moment, traceparent, skus)
select order_id, version, event_id, user_id, status, moment, traceparent, skus
from lost
order by moment, order_id, version
