-- Takes the keys that nobody has, in the order of their names, so that two transactions never wait for each other in a
-- circle; waits while another transaction holds one. The builder cannot say `unnest`. The advisory lock lets
-- claim_free.sql see that the key is held: a row that is not committed shows itself to nobody.
insert into idempotency_keys (user_id, operation, key, fingerprint, created_at)
select user_id, operation, key, fingerprint, $5
from (
    select user_id, operation, key, fingerprint
    from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as call (user_id, operation, key, fingerprint)
    order by user_id, operation, key
    offset 0
) as call
where pg_advisory_xact_lock(hashtextextended(operation || ' ' || user_id || ' ' || key, 0)) is not null
order by user_id, operation, key
on conflict do nothing
returning user_id, operation, key
