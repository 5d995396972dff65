-- A page by id, of which the rows that were sent long enough ago are removed. A row that is unsent, or that becomes so meanwhile
-- to be sent again, stays: the condition is checked again under the row's lock.
with page as materialized (
    select id, created_at from topic_outbox where id > $2 order by id limit $3
),
gone as (
    delete from topic_outbox
    where id in (select id from page) and sent_at < $1
    returning id
)
select (select count(*) from gone) as removed, count(*) as seen, coalesce(max(id), 0) as last,
       coalesce(bool_or(created_at >= $1), false) as reached_young
from page
