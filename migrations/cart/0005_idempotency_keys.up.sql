-- Changes that came with an idempotency key, each with the answer that a repeat gets. The row is written first
-- and in the transaction of the change, so a second call with the same key waits here for the first.
create table idempotency_keys (
    -- Who called; 0 for a caller that acts for nobody.
    user_id     bigint      not null check (user_id >= 0),
    operation   text        not null,
    key         text        not null check (length(key) between 1 and 255),
    -- SHA-256 of the input: the same key with another input is refused.
    fingerprint text        not null check (length(fingerprint) = 64),
    -- Null only inside the transaction that makes the change.
    answer      jsonb,
    created_at  timestamptz not null,
    primary key (user_id, operation, key)
);

-- For the removal of old keys.
create index idempotency_keys_created on idempotency_keys (created_at);
