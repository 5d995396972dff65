-- For how long the oldest unsent row of all shards has waited, by the server's clock.
select (extract(epoch from clock_timestamp() - created_at) * 1000)::bigint as milliseconds
from outbox
where sent_at is null
order by id
limit 1
