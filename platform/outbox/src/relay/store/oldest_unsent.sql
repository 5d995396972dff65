-- When the oldest unsent row of all shards was written.
select created_at
from outbox
where sent_at is null
order by id
limit 1
