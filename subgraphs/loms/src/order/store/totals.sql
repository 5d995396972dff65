-- What orders cost: null as soon as one line has no price. An order is refused when its price does not fit, so a stored one
-- fits. A choice over an aggregate of a product of columns, so no query for the builder.
select order_id, case when bool_and(unit_price is not null) then sum(unit_price * count)::bigint end as total
from order_lines
where order_id = any($1::bigint[])
group by order_id
