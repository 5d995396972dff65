-- Deletes up to $2 answers under idempotency keys that were given before $1.
DELETE FROM cart_changes WHERE (user_id, operation, idempotency_key) IN (
    SELECT user_id, operation, idempotency_key FROM cart_changes
    WHERE answered_at < $1
    ORDER BY answered_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
