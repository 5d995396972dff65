-- Leases due events: a version waits until the ones before it have left the queue, and the end of the lease is the new
-- time at which the row is due. Rows that another dispatcher has locked are passed over. The builder has no update from
-- a locked selection.
with head as (
    select event_id
    from webhook_queue
    where due_at <= $1
      and not exists (
          select from webhook_queue as earlier
          where earlier.order_id = webhook_queue.order_id and earlier.version < webhook_queue.version
      )
    order by due_at
    limit $3
    for update skip locked
)
update webhook_queue
set attempts = webhook_queue.attempts + 1, due_at = $2
from head join deliveries using (event_id)
where webhook_queue.event_id = head.event_id
returning deliveries.event_id, deliveries.order_id, deliveries.user_id, deliveries.version, deliveries.status,
          deliveries.moment, deliveries.traceparent, webhook_queue.attempts, webhook_queue.refusals
