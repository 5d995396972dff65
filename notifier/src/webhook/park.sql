-- Moves an event from the queue to the dead letters in one statement, if this attempt still holds it.
with gone as (
    delete from webhook_queue where event_id = $1 and attempts = $2 returning event_id
)
insert into dead_letters (topic, partition, "offset", key, value, headers, reason, refused_event)
select $3::text, inbox.partition, inbox."offset", $4::bytea, $5::bytea, $6::jsonb, $7::text, event_id
from inbox join gone using (event_id)
on conflict do nothing
