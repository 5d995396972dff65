-- One page of a pass: rows of this shard after the last page, oldest first.
select id, order_id, version, event_id, user_id, status, moment, skus, traceparent
from outbox
where sent_at is null and id > $1 and order_id % $2 = $3
order by id
limit $4
