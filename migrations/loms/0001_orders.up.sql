-- Orders, what they ask for, and the stock ledger. Source: docs/contracts.md §3 and §4.
create table orders (
    id         bigserial   primary key,
    user_id    bigint      not null check (user_id > 0),
    status     text        not null check (status in ('new', 'awaiting payment', 'failed', 'paid', 'cancelled')),
    -- One per status change; the outbox has a row for each.
    version    integer     not null check (version > 0),
    created_at timestamptz not null,
    -- When an unpaid order is cancelled; null: never.
    expires_at timestamptz
);

-- Lists go by keyset: newest first, below the last id seen.
create index orders_user on orders (user_id, id desc);
create index orders_status on orders (status, id desc);
-- The sweeper's work list.
create index orders_expiry on orders (expires_at) where status = 'awaiting payment' and expires_at is not null;

create table order_lines (
    order_id   bigint  not null references orders (id),
    -- The line's place as it was sent; a SKU may come twice.
    position   integer not null check (position >= 0),
    sku        bigint  not null check (sku > 0),
    count      bigint  not null check (count between 1 and 4294967295),
    -- Whole currency units; null when the order came in without prices.
    unit_price bigint  check (unit_price between 0 and 4294967295),
    primary key (order_id, position)
);

create table stocks (
    sku               bigint  primary key check (sku > 0),
    -- Both fit the contract's uint32 and GraphQL's Int.
    total             bigint  not null check (total between 0 and 2147483647),
    reserved          bigint  not null check (reserved between 0 and 2147483647),
    -- The seed has one row that reserves more than there is, on purpose. Only such a row may be over; the first
    -- write that makes it legal clears the mark for good, and every other row is held to reserved <= total.
    seeded_over       boolean not null default false,
    -- Every unit that was ever put in: total = baseline_total - units paid for.
    baseline_total    bigint  not null check (baseline_total >= 0),
    -- Units that the seed reserved without an order: reserved = baseline_reserved + units awaiting payment.
    baseline_reserved bigint  not null default 0 check (baseline_reserved >= 0),
    constraint stocks_not_over check (seeded_over or reserved <= total)
);
