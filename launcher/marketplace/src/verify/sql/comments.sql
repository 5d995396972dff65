-- Comments of the shard $1 of $2 that belong elsewhere, and stored responses that no comment explains.
with answers as (
    select key, user_id,
           (answer -> 'Ok' ->> 'id')::bigint as id,
           (answer -> 'Ok' ->> 'author')::bigint as author,
           (answer -> 'Ok' ->> 'sku')::bigint as sku
    from idempotency_keys
    where answer -> 'Ok' ->> 'id' is not null
)
select
    (select count(*) from comments) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('comment %s on SKU %s is in shard %s of %s', id, sku, $1::bigint, $2::bigint)
    from comments
    where sku % $2::bigint <> $1::bigint or id % 1000 <> $1::bigint
    union all
    select format('comment %s was edited at %s, before it was made', id, edited_at)
    from comments
    where edited_at < created_at
    union all
    select format('key %s of user %s answers comment %s, which is not there', key, user_id, answers.id)
    from answers
    where not exists (select from comments where comments.id = answers.id)
    union all
    select format('key %s answers comment %s of user %s on SKU %s, which is of user %s on SKU %s',
                  key, comments.id, answers.author, answers.sku, comments.author_id, comments.sku)
    from answers
    join comments using (id)
    where answers.author <> comments.author_id or answers.sku <> comments.sku
    union all
    select format('key %s of user %s has no answer', key, user_id)
    from idempotency_keys
    where answer is null
    union all
    select format('the next comment would get a number below %s, which is there', highest)
    from comments_number
    cross join (select max(id) as highest from comments) as made
    where highest - highest % 1000 > last_value
) as broken (wrong)
