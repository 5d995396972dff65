-- Carts and checkouts that contradict each other, and keys without a response.
select
    (select count(*) from checkouts) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('the cart of user %s would check out as %s again, which is ordered', carts.user_id, checkout_id)
    from carts
    join checkouts on checkouts.id = checkout_id
    where state = 'ordered'
    union all
    select format('order %s ends %s checkouts', order_id, count(*))
    from checkouts
    where order_id is not null
    group by order_id
    having count(*) > 1
    union all
    select format('key %s of user %s names checkout %s of user %s',
                  idempotency_key, checkout_keys.user_id, checkout_id, checkouts.user_id)
    from checkout_keys
    join checkouts on checkouts.id = checkout_id
    where checkout_keys.user_id <> checkouts.user_id
    union all
    select format('checkout %s is %s and has no lines', id, state)
    from checkouts
    where state in ('open', 'ordered') and not exists (select from checkout_lines where checkout_id = checkouts.id)
    union all
    select format('key %s of user %s has no answer', key, user_id)
    from idempotency_keys
    where answer is null
) as broken (wrong)
