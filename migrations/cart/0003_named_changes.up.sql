-- Changes of a cart that came with an idempotency key: repeated with it, they change nothing more.
CREATE TABLE cart_changes (
    user_id         bigint      NOT NULL,
    operation       text        NOT NULL CHECK (operation IN ('add', 'remove', 'clear')),
    idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    -- What was asked; another input under the same key is refused.
    input           text        NOT NULL,
    -- Why it was refused; null when the change was made.
    refusal         text,
    answered_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, operation, idempotency_key)
);
