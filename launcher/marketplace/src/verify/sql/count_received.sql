-- How many events since $1, or ever, have their effect.
select count(*) as count
from deliveries
where moment >= coalesce($1::timestamptz, '-infinity')
