-- The orders with these numbers ($1), or that answer these checkouts' keys ($2), each with its lines by SKU; prices where every line has one.
-- A refusal leaves a failed order, which is not the checkout's.
select
    orders.id,
    orders.user_id,
    answered.key as checkout,
    coalesce((
        select string_agg(format('%s x %s', sku, count), ', ' order by sku)
        from (select sku, sum(count) as count from order_lines where order_id = orders.id group by sku) as line
    ), '') as lines,
    (
        select case when count(*) = count(unit_price)
                    then string_agg(format('%s at %s', sku, unit_price), ', ' order by sku) end
        from order_lines
        where order_id = orders.id
    ) as prices
from orders
left join idempotency_keys as answered
       on answered.operation = 'createOrder'
      and answered.key = any($2)
      and answered.answer -> 'order' ->> 'id' = orders.id::text
      and answered.answer ->> 'refusal' is null
where orders.id = any($1)
   or orders.id in (
       select (answer -> 'order' ->> 'id')::bigint
       from idempotency_keys
       where operation = 'createOrder' and key = any($2) and answer -> 'order' ->> 'id' is not null
         and answer ->> 'refusal' is null
   )
