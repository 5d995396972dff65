-- Every event that may be in the topic.
select event_id, moment from outbox
union all
select event_id, moment from order_history
