-- One row an event: its presence means that the effect of the event is in this database too.
create table inbox (
    event_id    uuid        primary key,
    order_id    bigint      not null,
    version     integer     not null check (version > 0),
    partition   integer     not null,
    "offset"    bigint      not null,
    received_at timestamptz not null default now()
);

-- The effect: a notification of one status change, written in the inbox row's transaction and handed to the
-- sink after the commit. Undelivered rows are delivered again after a crash, under the same id.
create table deliveries (
    id           bigserial   primary key,
    event_id     uuid        not null unique references inbox (event_id),
    order_id     bigint      not null,
    user_id      bigint      not null,
    version      integer     not null,
    status       text        not null,
    moment       timestamptz not null,
    traceparent  text,
    created_at   timestamptz not null default now(),
    delivered_at timestamptz,
    attempts     integer     not null default 0
);

create index deliveries_pending on deliveries (id) where delivered_at is null;
create index deliveries_by_order on deliveries (order_id, version);

-- Messages that could not be understood: parked with everything needed to look at them and to replay them.
create table dead_letters (
    id          bigserial   primary key,
    topic       text        not null,
    partition   integer     not null,
    "offset"    bigint      not null,
    key         bytea,
    value       bytea,
    headers     jsonb       not null default '[]',
    reason      text        not null,
    parked_at   timestamptz not null default now()
);

-- A redelivered message is parked once; the value tells it from one at the same place of a replaced topic.
create unique index dead_letters_once on dead_letters (topic, partition, "offset", md5(coalesce(value, '')));
