-- What each user is about to order. The cart's row is locked first by every change of that cart.
CREATE TABLE carts (
    user_id     bigint      PRIMARY KEY CHECK (user_id > 0),
    -- The idempotency key of the order that the next checkout makes; a new one after every checkout that ended.
    checkout_id uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cart_lines (
    user_id bigint NOT NULL REFERENCES carts (user_id) ON DELETE CASCADE,
    sku     bigint NOT NULL CHECK (sku > 0),
    -- An order's count is a uint32.
    count   bigint NOT NULL CHECK (count BETWEEN 1 AND 4294967295),
    PRIMARY KEY (user_id, sku)
);
