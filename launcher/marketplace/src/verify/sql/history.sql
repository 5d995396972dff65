-- Orders that their events do not explain.
select
    (select count(*) from orders) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('order %s is %s in version %s, its last event says %s in version %s',
                  orders.id, orders.status, orders.version, last.status, last.version)
    from orders
    left join lateral (
        select status, version from outbox where order_id = orders.id
        union all
        select status, version from order_history where order_id = orders.id
        order by version desc
        limit 1
    ) as last on true
    where last.version is distinct from orders.version or last.status is distinct from orders.status
    union all
    select format('order %s has %s events and is in version %s', orders.id, count(*), orders.version)
    from orders
    join (
        select order_id from outbox
        union all
        select order_id from order_history
    ) as event on order_id = orders.id
    group by orders.id
    having count(*) <> orders.version
) as broken (wrong)
