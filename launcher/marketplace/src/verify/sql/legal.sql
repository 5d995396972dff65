-- Orders whose events are not those of one life of one buyer's order: statuses that do not follow one another, another owner,
-- other products, or no end although unpaid orders have one ($1).
with events as (
    select order_id, version, status, user_id, skus, moment
    from outbox
    union all
    select order_id, version, status, null, '', moment
    from order_history
),
steps as (
    select order_id, version, status, lag(status) over (partition by order_id order by version) as before
    from events
),
products as (
    select order_id, string_agg(sku::text, ',' order by sku) as skus
    from (select distinct order_id, sku from order_lines) as each_once
    group by order_id
)
select
    (select count(*) from events) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('order %s: its event %s says %s after %s', order_id, version, status, coalesce(before, 'nothing'))
    from steps
    where (version = 1 and status <> 'new')
       or (before = 'new' and status not in ('awaiting payment', 'failed'))
       or (before = 'awaiting payment' and status not in ('paid', 'cancelled'))
       or before in ('failed', 'paid', 'cancelled')
    union all
    select format('order %s is of user %s, its event %s of user %s', orders.id, orders.user_id, events.version, events.user_id)
    from events
    join orders on orders.id = events.order_id
    where events.user_id <> orders.user_id
    union all
    select format('event %s of order %s has no order', version, order_id)
    from events
    where not exists (select from orders where id = order_id)
    union all
    select format('order %s: its event %s names the products %s, its lines %s',
                  events.order_id, events.version, events.skus, products.skus)
    from events
    join products using (order_id)
    where events.skus <> '' and events.skus <> products.skus
    union all
    select format('order %s was made at %s, its first event says %s', orders.id, orders.created_at, events.moment)
    from events
    join orders on orders.id = events.order_id
    where events.version = 1 and events.moment <> orders.created_at
    union all
    select format('order %s awaits payment without an end', id)
    from orders
    where $1 and status = 'awaiting payment' and expires_at is null
    union all
    select format('the next order would get the number %s, and there is one with %s', last_value + 1, highest)
    from orders_id_seq
    cross join (select max(id) as highest from orders) as made
    where highest > last_value
) as broken (wrong)
