-- Writes responses, each as JSON text, beside the keys that the transaction claimed. The builder cannot say `unnest`.
update idempotency_keys as stored
set answer = call.answer::jsonb
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as call (user_id, operation, key, answer)
where (stored.user_id, stored.operation, stored.key) = (call.user_id, call.operation, call.key)
