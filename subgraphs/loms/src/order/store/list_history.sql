-- Lists every status that orders had. An event is in the outbox until its retention there is over and in the history
-- from then on, so one statement sees each of them once. A union of two tables, so no query for the builder.
select order_id, version, event_id, status, moment
from outbox
where order_id = any($1::bigint[])
union all
select order_id, version, event_id, status, moment
from order_history
where order_id = any($1::bigint[])
order by order_id, version
