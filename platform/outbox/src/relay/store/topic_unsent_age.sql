-- For how long the oldest unsent row of a topic has waited, by the server's clock.
select (extract(epoch from clock_timestamp() - created_at) * 1000)::bigint as milliseconds
from topic_outbox
where sent_at is null and topic = $1
order by id
limit 1
