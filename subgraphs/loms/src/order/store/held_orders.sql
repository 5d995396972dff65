-- Which of these orders another transaction has locked. Those that are free are locked for the length of this statement; a
-- lock that is passed over is nothing that the builder can ask about.
with free as materialized (
    select id from orders where id = any($1::bigint[]) order by id for update skip locked
)
select id
from orders
where id = any($1::bigint[]) and id not in (select id from free)
