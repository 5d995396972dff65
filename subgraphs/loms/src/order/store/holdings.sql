-- What customers hold in orders that await payment: how many orders (SKU 0), and how many units of each of these products. A
-- union of two counts over sets, so no query for the builder.
select user_id, 0::bigint as sku, count(*) as held
from orders
where status = 'awaiting payment' and user_id = any($1::bigint[])
group by user_id
union all
select user_id, sku, sum(count)::bigint as held
from orders
join order_lines on order_id = id
where cardinality($2::bigint[]) > 0
  and status = 'awaiting payment' and user_id = any($1::bigint[]) and sku = any($2::bigint[])
group by user_id, sku
