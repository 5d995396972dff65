-- One page of a pass over another topic than that of the order events: its rows after the last page, oldest first.
select id, key, version, event_id, value, traceparent
from topic_outbox
where sent_at is null and topic = $2 and id > $1
order by id
limit $3
