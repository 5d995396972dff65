-- Which of these SKUs' rows another transaction has locked. Those that are free are locked for the length of this statement;
-- a lock that is passed over is nothing that the builder can ask about.
with free as materialized (
    select sku from stocks where sku = any($1::bigint[]) order by sku for update skip locked
)
select sku
from stocks
where sku = any($1::bigint[]) and sku not in (select sku from free)
