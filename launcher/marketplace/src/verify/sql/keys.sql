-- Idempotency keys that share an order, name one that is not there, or have no response.
select
    (select count(*) from idempotency_keys) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('order %s answers %s keys of %s', answer -> 'order' ->> 'id', count(*), operation)
    from idempotency_keys
    where operation = 'createOrder' and answer -> 'order' ->> 'id' is not null
    group by operation, answer -> 'order' ->> 'id'
    having count(*) > 1
    union all
    select format('key %s of user %s answers order %s, which is not there',
                  key, idempotency_keys.user_id, answer -> 'order' ->> 'id')
    from idempotency_keys
    left join orders on orders.id = (answer -> 'order' ->> 'id')::bigint
    where answer -> 'order' ->> 'id' is not null and orders.id is null
    union all
    select format('key %s of user %s has no answer', key, user_id)
    from idempotency_keys
    where answer is null
) as broken (wrong)
