-- A missing traceparent travels as '': the driver's text arrays hold no nulls.
insert into outbox (order_id, version, event_id, user_id, status, moment, skus, traceparent)
select order_id, version, event_id, user_id, status, moment, skus, nullif(traceparent, '')
from unnest($1::bigint[], $2::integer[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
    with ordinality as event (order_id, version, event_id, user_id, status, moment, skus, traceparent, place)
order by place
