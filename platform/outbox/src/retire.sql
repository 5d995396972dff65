-- A page by id, of which the rows that were sent long enough ago move to the history. A row that is unsent, or that becomes
-- so meanwhile to be sent again, stays: the condition is checked again under the row's lock.
with page as materialized (
    select id, created_at from outbox where id > $2 order by id limit $3
),
gone as (
    delete from outbox
    where id in (select id from page) and sent_at < $1
    returning order_id, version, event_id, status, moment
),
moved as (
    insert into order_history (order_id, version, event_id, status, moment)
    select order_id, version, event_id, status, moment from gone
    returning order_id
)
select (select count(*) from moved) as removed, count(*) as seen, coalesce(max(id), 0) as last,
       coalesce(bool_or(created_at >= $1), false) as reached_young
from page
