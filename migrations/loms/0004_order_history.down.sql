-- Back into the outbox, as sent: the history of an order is in its rows there.
insert into outbox (order_id, version, event_id, user_id, status, moment, created_at, sent_at)
select order_id, order_history.version, event_id, user_id, order_history.status, moment, moment, moment
from order_history join orders on orders.id = order_id
order by moment, order_id, order_history.version;
drop table order_history;
