-- Takes the keys that nobody has, in the order of their names, so that two transactions never wait for each other in a
-- circle; waits while another transaction holds one. The builder cannot say `unnest`.
insert into idempotency_keys (user_id, operation, key, fingerprint, created_at)
select user_id, operation, key, fingerprint, $5
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as call (user_id, operation, key, fingerprint)
order by user_id, operation, key
on conflict do nothing
returning user_id, operation, key
