-- Inserts lines of orders; a price of -1 stands for none. One text for any number of rows, so not the builder's.
insert into order_lines (order_id, position, sku, count, unit_price)
select order_id, position, sku, count, nullif(unit_price, -1)
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    as line (order_id, position, sku, count, unit_price)
