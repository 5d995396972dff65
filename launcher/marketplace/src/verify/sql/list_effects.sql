-- Inbox and effects of one moment: each event that either knows, and what the effect says of it.
select
    event_id,
    inbox.event_id is not null as received,
    inbox.order_id as inbox_order,
    inbox.version as inbox_version,
    deliveries.moment,
    deliveries.order_id,
    deliveries.version,
    deliveries.user_id,
    deliveries.status
from inbox
full join deliveries using (event_id)
