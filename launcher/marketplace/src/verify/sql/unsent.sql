-- Events that are not sent, and unpaid orders that should have expired before $1.
select
    (select count(*) from outbox) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('event of order %s in version %s is not sent', order_id, version)
    from outbox
    where sent_at is null
    union all
    select format('event of %s in version %s of topic %s is not sent', key, version, topic)
    from topic_outbox
    where sent_at is null
    union all
    select format('order %s should have expired at %s', id, expires_at)
    from orders
    where status = 'awaiting payment' and expires_at < $1
) as broken (wrong)
