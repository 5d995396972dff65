-- Stored responses that say of an order what its events do not, or that answer another user.
with events as (
    select order_id, version, status
    from outbox
    union all
    select order_id, version, status
    from order_history
),
answers as (
    select key, user_id, operation,
           (answer -> 'order' ->> 'id')::bigint as order_id,
           (answer -> 'order' ->> 'user_id')::bigint as owner,
           (answer -> 'order' ->> 'version')::integer as version,
           answer -> 'order' ->> 'status' as status
    from idempotency_keys
    where answer -> 'order' ->> 'id' is not null
)
select
    (select count(*) from answers) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('key %s of user %s answers order %s of user %s', key, answers.user_id, order_id, orders.user_id)
    from answers
    join orders on orders.id = order_id
    where owner <> orders.user_id or (answers.user_id not in (0, orders.user_id))
    union all
    select format('key %s answers order %s as %s in version %s, its event says %s',
                  key, answers.order_id, answers.status, answers.version, coalesce(events.status, 'nothing'))
    from answers
    left join events on events.order_id = answers.order_id and events.version = answers.version
    where events.status is distinct from answers.status
) as broken (wrong)
