-- Inbox and effects of one moment: each event that either knows.
select event_id, inbox.event_id is not null as received, deliveries.moment
from inbox
full join deliveries using (event_id)
