-- How many events are not sent.
select count(*) as count from outbox where sent_at is null
