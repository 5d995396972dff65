-- Deletes a batch of old keys, oldest first, and passes over rows that another process has locked. The builder cannot say
-- a limit of a delete.
delete from idempotency_keys
where (user_id, operation, key) in (
    select user_id, operation, key
    from idempotency_keys
    where created_at < $1
    order by created_at
    limit $2
    for update skip locked
)
