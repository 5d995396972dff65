-- Counts the changes of the units that can be ordered: the version of the stock's event, bumped by the statement that changes
-- them.
alter table stocks add column version integer not null default 0 check (version >= 0);

-- Events of other topics than that of the order events, as their messages are sent. Written in the transaction of the change.
create table topic_outbox (
    id          bigserial   primary key,
    topic       text        not null,
    -- The entity, and the version that it has since this event.
    key         text        not null,
    version     integer     not null check (version > 0),
    event_id    uuid        not null,
    -- The message's value, a JSON object.
    value       text        not null,
    traceparent text,
    created_at  timestamptz not null default now(),
    sent_at     timestamptz,
    unique (topic, key, version)
);

-- The relay's work list, as that of the order events.
create index topic_outbox_unsent on topic_outbox (topic, id) where sent_at is null;

-- Identity of each topic's stream, and the offset after the last acknowledged event of each partition: as `stream_epoch` and
-- `stream_partition` have them of the order events.
create table topic_epoch (
    topic text primary key,
    epoch uuid not null
);

create table topic_partition (
    topic       text    not null,
    partition   integer not null check (partition >= 0),
    next_offset bigint  not null check (next_offset >= 0),
    primary key (topic, partition)
);
