-- Inbox rows and their effects in one statement: an event that the inbox knows has no second effect. A set of rows as
-- columns, and three tables at once, are more than the builder says.
-- A missing traceparent travels as '': the driver's text arrays hold no nulls.
with event as (
    select *
    from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::timestamptz[],
                $7::text[], $8::integer[], $9::bigint[])
        with ordinality
        as event (event_id, order_id, user_id, version, status, moment, traceparent, partition, "offset", place)
),
fresh as (
    insert into inbox (event_id, order_id, version, partition, "offset")
    select event_id, order_id, version, partition, "offset" from event order by place
    on conflict do nothing
    returning event_id
),
queued as (
    insert into webhook_queue (event_id, order_id, version)
    select event_id, order_id, version from event join fresh using (event_id) where $10
)
insert into deliveries (event_id, order_id, user_id, version, status, moment, traceparent)
select event_id, order_id, user_id, version, status, moment, nullif(traceparent, '')
from event join fresh using (event_id)
order by place
