with gone as (
    delete from webhook_queue where event_id = $1 and attempts = $2 returning event_id
)
insert into dead_letters (topic, partition, "offset", key, value, headers, reason, refused_event)
select $3, inbox.partition, inbox."offset", $4, $5, $6, $7, event_id
from inbox join gone using (event_id)
on conflict do nothing
