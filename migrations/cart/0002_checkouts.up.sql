-- Attempts to order a cart. An attempt's lines and prices are frozen before the order service is asked, so that a
-- retry after a crash asks for exactly the same order.
CREATE TABLE checkouts (
    -- The idempotency key that the order service gets.
    id        uuid        PRIMARY KEY,
    user_id   bigint      NOT NULL REFERENCES carts (user_id) ON DELETE CASCADE,
    state     text        NOT NULL CHECK (state IN ('open', 'ordered', 'out_of_stock', 'cart_empty')),
    order_id  bigint      CHECK (order_id > 0),
    opened_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT checkouts_order_when_ordered CHECK ((state = 'ordered') = (order_id IS NOT NULL))
);

CREATE INDEX checkouts_open ON checkouts (user_id) WHERE state = 'open';

CREATE TABLE checkout_lines (
    checkout_id uuid    NOT NULL REFERENCES checkouts (id) ON DELETE CASCADE,
    sku         bigint  NOT NULL CHECK (sku > 0),
    count       bigint  NOT NULL CHECK (count BETWEEN 1 AND 4294967295),
    unit_price  bigint  NOT NULL CHECK (unit_price BETWEEN 0 AND 4294967295),
    -- False once the user took the line out of the cart: then a success has nothing to subtract.
    in_cart     boolean NOT NULL,
    PRIMARY KEY (checkout_id, sku)
);

-- The clients' own idempotency keys: each names one attempt for good.
CREATE TABLE checkout_keys (
    user_id         bigint      NOT NULL,
    idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    checkout_id     uuid        NOT NULL REFERENCES checkouts (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, idempotency_key)
);

CREATE INDEX checkout_keys_checkout ON checkout_keys (checkout_id);
