-- As claim.sql, but passes over a key that another transaction holds.
insert into idempotency_keys (user_id, operation, key, fingerprint, created_at)
select user_id, operation, key, fingerprint, $5
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as call (user_id, operation, key, fingerprint)
where pg_try_advisory_xact_lock(hashtextextended(operation || ' ' || user_id || ' ' || key, 0))
order by user_id, operation, key
on conflict do nothing
returning user_id, operation, key
