-- Every status change of every order, written in the transaction that makes it. The relay sends the unsent
-- rows to the topic; order history reads the same rows, so they stay after they were sent.
create table outbox (
    id          bigserial   primary key,
    order_id    bigint      not null check (order_id > 0),
    version     integer     not null check (version > 0),
    event_id    uuid        not null unique,
    user_id     bigint      not null check (user_id > 0),
    status      text        not null check (status in ('new', 'awaiting payment', 'failed', 'paid', 'cancelled')),
    moment      timestamptz not null,
    traceparent text,
    created_at  timestamptz not null default now(),
    sent_at     timestamptz,
    unique (order_id, version)
);

-- The relay's work list. Ids of concurrent transactions become visible out of order, so "unsent" is this
-- predicate and never "id above the last one seen".
create index outbox_unsent on outbox (id) where sent_at is null;

-- Identity of the stream: a cursor is only good for the epoch it was made in. The relay writes the first
-- epoch, and a later one (UUIDs of version 7 sort by time) when it finds that the topic was replaced.
create table stream_epoch (
    only_row boolean primary key default true check (only_row),
    epoch    uuid    not null
);

-- The offset after the last acknowledged event of each partition: a topic that ends before it is another topic.
create table stream_partition (
    partition   integer primary key check (partition >= 0),
    next_offset bigint  not null check (next_offset >= 0)
);
