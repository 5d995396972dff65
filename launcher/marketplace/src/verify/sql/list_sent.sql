-- Every event that must be in the topic, unless retention has removed it.
select event_id, moment from outbox where sent_at is not null
union all
select event_id, moment from order_history
