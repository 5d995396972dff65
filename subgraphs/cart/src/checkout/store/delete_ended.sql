-- Deletes up to $2 checkouts that ended and were opened before $1, unless a key that came later names them.
DELETE FROM checkouts WHERE id IN (
    SELECT id FROM checkouts
    WHERE state <> 'open' AND opened_at < $1
      AND NOT EXISTS (
          SELECT FROM checkout_keys
          WHERE checkout_keys.checkout_id = checkouts.id AND checkout_keys.created_at >= $1
      )
    ORDER BY opened_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
