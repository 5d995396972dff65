-- A page by id, of which the effects that a sink took long enough ago leave, each with its inbox row. One whose event the
-- webhook's receiver has yet to take, or has refused, stays: posting it needs both. Such an event moves between
-- webhook_queue and dead_letters in one transaction, so this statement sees it in one of the two. Rows that another
-- transaction has locked are left for the next round.
with page as materialized (
    select id, created_at from deliveries where id > $2 order by id limit $3
),
old as (
    select id from deliveries
    where id in (select id from page) and delivered_at < $1
      and not exists (select from webhook_queue where webhook_queue.event_id = deliveries.event_id)
      and not exists (select from dead_letters where refused_event = deliveries.event_id)
    for update skip locked
),
effect as (
    delete from deliveries where id in (select id from old) returning event_id
),
received as (
    delete from inbox where event_id in (select event_id from effect)
)
select (select count(*) from effect) as removed, count(*) as seen, coalesce(max(id), 0) as last,
       coalesce(bool_or(created_at >= $1), false) as reached_young
from page
