-- How many events since $1, or ever, were sent.
select (select count(*) from outbox where sent_at is not null and moment >= coalesce($1::timestamptz, '-infinity'))
     + (select count(*) from order_history where moment >= coalesce($1::timestamptz, '-infinity')) as count
