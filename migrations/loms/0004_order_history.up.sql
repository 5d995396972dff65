-- What the outbox had of an order once its event was sent and its retention is over: as much as the order's history and a
-- check of the topic need. A row moves here in the statement that takes it from the outbox, so it is in exactly one of them.
create table order_history (
    order_id bigint      not null,
    version  integer     not null,
    event_id uuid        not null,
    status   text        not null,
    moment   timestamptz not null,
    primary key (order_id, version)
);
