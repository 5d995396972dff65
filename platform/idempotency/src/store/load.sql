-- What the first calls with these keys stored. The builder cannot say `unnest`.
select stored.user_id, stored.operation, stored.key, stored.fingerprint, stored.answer
from unnest($1::bigint[], $2::text[], $3::text[]) as call (user_id, operation, key)
join idempotency_keys as stored using (user_id, operation, key)
