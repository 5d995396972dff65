-- Puts an event, by id, into the webhook's queue again; it may be there. The builder has no insert from a select.
insert into webhook_queue (event_id, order_id, version)
select event_id, order_id, version
from deliveries
where event_id = $1
on conflict do nothing
