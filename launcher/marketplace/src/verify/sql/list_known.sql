-- Every event that may be in the topic, with what it says.
select event_id, moment, order_id, version, user_id, status
from outbox
union all
select event_id, moment, order_id, order_history.version, orders.user_id, order_history.status
from order_history
join orders on orders.id = order_id
